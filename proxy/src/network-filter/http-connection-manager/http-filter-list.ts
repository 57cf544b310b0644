// `http_filters` of a connection manager -> compiled filters, and what the router at their end says.

import type { envoy } from '@weft/api/xds/types';
import { messageOf } from '@weft/lib/error';
import type { Issue } from '@weft/lib/issue';
import { typeNameOf, unpackAny } from '@weft/lib/protobuf/codec';
import type { HttpFilter } from '../../http-filter/filter.ts';
import { findHttpFilterKind, type HttpFilterContext } from '../../http-filter/filters.ts';
import type { CompilePlace } from '../network-context.ts';

type Config = envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager;
type HttpFilterConfig = envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter;

const routerType = 'envoy.extensions.filters.http.router.v3.Router';

/** What the router at the end of the list says; reports when it is not there. */
export function readRouter(config: Config, place: CompilePlace): { suppressEnvoyHeaders: boolean } {
  const last = config.httpFilters?.at(-1);
  const path = `${place.path}.http_filters`;
  if (last?.typedConfig === undefined || typeNameOf(last.typedConfig) !== routerType) {
    report(
      place.issues,
      'WEFT0381',
      path,
      'the last HTTP filter must be the router (envoy.filters.http.router); add it',
    );
    return { suppressEnvoyHeaders: false };
  }
  try {
    return { suppressEnvoyHeaders: unpackAny(last.typedConfig, routerType).suppressEnvoyHeaders === true };
  } catch (error) {
    report(place.issues, 'WEFT0382', path, messageOf(error));
    return { suppressEnvoyHeaders: false };
  }
}

/** The filters before the router, in order. */
export function compileHttpFilters(
  configs: readonly HttpFilterConfig[],
  context: Omit<HttpFilterContext, 'path'>,
  place: CompilePlace,
): HttpFilter[] {
  const filters: HttpFilter[] = [];
  for (const [i, config] of configs.slice(0, -1).entries()) {
    const path = `${place.path}.http_filters[${i}]`;
    const filter = compileFilter(config, { ...context, path });
    if (filter !== null) filters.push(filter);
  }
  return filters;
}

function compileFilter(config: HttpFilterConfig, context: HttpFilterContext): HttpFilter | null {
  if (config.disabled === true) return null;
  const any = config.typedConfig;
  const kind = any === undefined ? null : findHttpFilterKind(typeNameOf(any));
  if (any === undefined || kind === null) {
    if (config.isOptional === true) return null;
    const type = any === undefined ? 'nothing' : typeNameOf(any);
    const message = `the HTTP filter '${config.name ?? ''}' (${type}) is not carried out; remove it or mark it is_optional`;
    report(context.issues, 'WEFT0383', context.path, message);
    return null;
  }
  try {
    return kind.compile(any, config.name ?? '', context);
  } catch (error) {
    report(context.issues, 'WEFT0382', `${context.path}.typed_config`, messageOf(error));
    return null;
  }
}

function report(issues: Issue[], code: string, path: string, message: string): void {
  issues.push({ code, level: 'error', path, message });
}
