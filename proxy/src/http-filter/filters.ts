// Every HTTP filter there is, in one list. Adding one is adding its folder and its line here.

import type { google } from '@weft/api/xds/types';
import type { Clock } from '@weft/lib/clock';
import type { Issue } from '@weft/lib/issue';
import type { Scope } from '@weft/lib/metrics';
import { typeNameOf } from '@weft/lib/protobuf/codec';
import { compileCaptureAuth } from './capture-auth/config.ts';
import { compileCors, compileCorsPolicy, corsPolicyType } from './cors/config.ts';
import { compileFault, compileFaultOverride } from './fault/config.ts';
import type { HttpFilter } from './filter.ts';
import { compileGrpcStats } from './grpc-stats/config.ts';
import { compileGrpcWeb } from './grpc-web/config.ts';
import { compileHttpRbac, compileHttpRbacOverride } from './rbac/config.ts';

/** What compiling a filter needs; findings go to `issues` under `path`. */
export interface HttpFilterContext {
  readonly clock: Clock;
  readonly random: () => number;
  /** `http.<stat_prefix>.` */
  readonly scope: Scope;
  readonly issues: Issue[];
  readonly path: string;
}

type Any = google.protobuf.Any;

/** One kind of filter. `compile` gives null after reporting errors, or for a filter that has nothing to do here. */
export interface HttpFilterKind {
  /** Full name of its configuration message. */
  readonly type: string;
  compile(config: Any, name: string, context: HttpFilterContext): HttpFilter | null;
  /** Message of its `typed_per_filter_config` where that is another one. */
  readonly overrideType?: string;
  /** Compiles a `typed_per_filter_config` of that filter; `below` is the result of the less specific level, or null. */
  compileOverride?(config: Any, context: HttpFilterContext, below: unknown): unknown;
}

const nothing = (): null => null;

export const httpFilterKinds: readonly HttpFilterKind[] = [
  { type: 'weft.extensions.filters.http.capture_auth.v1.CaptureAuth', compile: compileCaptureAuth },
  {
    type: 'envoy.extensions.filters.http.rbac.v3.RBAC',
    overrideType: 'envoy.extensions.filters.http.rbac.v3.RBACPerRoute',
    compile: compileHttpRbac,
    compileOverride: compileHttpRbacOverride,
  },
  {
    type: 'envoy.extensions.filters.http.fault.v3.HTTPFault',
    compile: compileFault,
    compileOverride: compileFaultOverride,
  },
  {
    type: 'envoy.extensions.filters.http.cors.v3.Cors',
    overrideType: corsPolicyType,
    compile: compileCors,
    compileOverride: compileCorsPolicy,
  },
  { type: 'envoy.extensions.filters.http.grpc_web.v3.GrpcWeb', compile: compileGrpcWeb },
  { type: 'envoy.extensions.filters.http.grpc_stats.v3.FilterConfig', compile: compileGrpcStats },
  // What Istio's control plane adds besides: they only add metadata of its own, nothing that a request would miss.
  { type: 'istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig', compile: nothing },
  { type: 'io.istio.http.peer_metadata.Config', compile: nothing },
];

const kindsByType: ReadonlyMap<string, HttpFilterKind> = new Map(httpFilterKinds.map((kind) => [kind.type, kind]));

/** The kind of a configuration message, or null when we have no such filter. */
export function findHttpFilterKind(type: string): HttpFilterKind | null {
  return kindsByType.get(type) ?? null;
}

/** Compiles a route's settings for one filter; null for filters without such settings, after reporting unknown ones. */
export function compileFilterOverride(config: Any, context: HttpFilterContext, below: unknown): unknown {
  const type = typeNameOf(config);
  const kind = httpFilterKinds.find((one) => one.overrideType === type || one.type === type);
  if (kind?.compileOverride !== undefined) return kind.compileOverride(config, context, below);
  const message = `settings of type ${type} for one route are not carried out; remove them`;
  if (kind === undefined) context.issues.push({ code: 'WEFT0398', level: 'error', path: context.path, message });
  return null;
}
