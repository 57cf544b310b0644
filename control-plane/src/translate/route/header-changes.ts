// `headers` of routes and destinations: what is set, added and removed on the way there and back.

import type { HeaderChanges, HeaderOperations } from '@weft/api/resource/http-route';
import type { envoy } from '@weft/api/xds/types';

type HeaderValueOption = envoy.config.core.v3.HeaderValueOption;

/** The four fields that routes, virtual hosts and weighted clusters share. */
export interface HeaderFields {
  readonly requestHeadersToAdd?: readonly HeaderValueOption[];
  readonly requestHeadersToRemove?: readonly string[];
  readonly responseHeadersToAdd?: readonly HeaderValueOption[];
  readonly responseHeadersToRemove?: readonly string[];
}

/** Header fields of several `headers` blocks, the first applied first. `Host` is not a header here; see `hostOverride`. */
export function headerFields(...changes: readonly (HeaderChanges | undefined)[]): HeaderFields {
  const request = changes.map((change) => change?.request);
  const response = changes.map((change) => change?.response);
  const fields = {
    requestHeadersToAdd: request.flatMap(additions),
    requestHeadersToRemove: request.flatMap((operations) => operations?.remove ?? []),
    responseHeadersToAdd: response.flatMap(additions),
    responseHeadersToRemove: response.flatMap((operations) => operations?.remove ?? []),
  };
  return Object.fromEntries(Object.entries(fields).filter(([, list]) => list.length > 0));
}

function additions(operations: HeaderOperations | undefined): HeaderValueOption[] {
  const set = Object.entries(operations?.set ?? {});
  const add = Object.entries(operations?.add ?? {});
  return [
    ...set.filter(([key]) => !isHost(key)).map(([key, value]) => overwrite(key, value)),
    ...add.filter(([key]) => !isHost(key)).map(([key, value]) => append(key, value)),
  ];
}

function isHost(key: string): boolean {
  return key.toLowerCase() === 'host' || key.toLowerCase() === ':authority';
}

/** The authority that a `Host` among the request headers asks for. */
export function hostOverride(changes: HeaderChanges | undefined): string | undefined {
  const set = Object.entries({ ...changes?.request?.add, ...changes?.request?.set });
  return set.find(([key]) => isHost(key))?.[1];
}

/** Replaces the header or adds it. */
export function overwrite(key: string, value: string): HeaderValueOption {
  return { header: { key, value }, appendAction: 'OVERWRITE_IF_EXISTS_OR_ADD' };
}

function append(key: string, value: string): HeaderValueOption {
  return { header: { key, value }, appendAction: 'APPEND_IF_EXISTS_OR_ADD' };
}
