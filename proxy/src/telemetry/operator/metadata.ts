// `%METADATA(ROUTE:com.example:key:inner)%`: values that configuration hung onto a route, cluster or endpoint.

import type { LoggedView } from '../view.ts';
import type { CompileOperator, OperatorTable, OperatorValue } from './operator.ts';

type Source = (view: LoggedView) => unknown;

const sources: Readonly<Record<string, Source>> = {
  ROUTE: (view) => view.route,
  CLUSTER: (view) => view.cluster,
  UPSTREAM_HOST: (view) => view.host,
  DYNAMIC: (view) => view.connection,
};

function property(holder: unknown, name: string): unknown {
  if (typeof holder !== 'object' || holder === null || !Object.hasOwn(holder, name)) return undefined;
  return (holder as Readonly<Record<string, unknown>>)[name];
}

function read(holder: unknown, keys: readonly string[]): OperatorValue {
  let value = filterMetadata(property(holder, 'metadata'));
  for (const key of keys) value = property(value, key);
  return isValue(value) ? value : null;
}

// Routes and clusters keep the whole message, hosts only its filter part.
function filterMetadata(metadata: unknown): unknown {
  return property(metadata, 'filterMetadata') ?? metadata;
}

function isValue(value: unknown): value is OperatorValue {
  return value !== undefined && value !== null;
}

const compileMetadata: CompileOperator = (argument) => {
  const [kind = '', ...keys] = argument.split(':');
  const source = sources[kind];
  return { get: (view) => read(source?.(view), keys), isFromPeer: false };
};

// Nothing in this proxy writes these stores, so the answer is the one Envoy gives for an entry that is not there.
function compileUnfilled(store: string): CompileOperator {
  const warning = `no filter of this proxy fills ${store}; it is always empty`;
  return () => ({ get: () => null, isFromPeer: false, warning });
}

export const metadataOperators: OperatorTable = {
  METADATA: compileMetadata,
  CLUSTER_METADATA: (argument) => compileMetadata(`CLUSTER:${argument}`),
  UPSTREAM_METADATA: (argument) => compileMetadata(`UPSTREAM_HOST:${argument}`),
  DYNAMIC_METADATA: (argument) => compileMetadata(`DYNAMIC:${argument}`),
  FILTER_STATE: compileUnfilled('filter state'),
  UPSTREAM_FILTER_STATE: compileUnfilled('filter state'),
};
