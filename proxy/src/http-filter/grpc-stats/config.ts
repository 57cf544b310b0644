// Compiles `envoy.extensions.filters.http.grpc_stats.v3.FilterConfig`.

import type { envoy, google } from '@weft/api/xds/types';
import type { Issue } from '@weft/lib/issue';
import { unpackAny } from '@weft/lib/protobuf/codec';
import { GrpcStatsFilter, type MethodChoice } from './filter.ts';
import { methodKey } from './method-name.ts';

const type = 'envoy.extensions.filters.http.grpc_stats.v3.FilterConfig';

interface Context {
  readonly issues: Issue[];
  readonly path: string;
}

/** Null after reporting errors. Throws `ProtobufError` for bytes that are no such message. */
export function compileGrpcStats(config: google.protobuf.Any, name: string, context: Context): GrpcStatsFilter | null {
  const message = unpackAny(config, type);
  const underscores = message.replaceDotsInGrpcServiceName === true;
  const allowlist = message.individualMethodStatsAllowlist;
  const listed = allowlist === undefined ? null : compileAllowlist(allowlist, underscores, context);
  if (allowlist !== undefined && listed === null) return null;
  // As Envoy since 1.18: without a word on methods they are not told apart.
  const choice: MethodChoice = { listed, all: message.statsForAllMethods === true };
  return new GrpcStatsFilter(name, { choice, underscores, hasTimes: message.enableUpstreamStats === true });
}

function compileAllowlist(
  list: envoy.config.core.v3.GrpcMethodList,
  underscores: boolean,
  context: Context,
): ReadonlySet<string> | null {
  const before = context.issues.length;
  const names = new Set<string>();
  for (const [i, service] of (list.services ?? []).entries()) {
    const path = `${context.path}.individual_method_stats_allowlist.services[${i}]`;
    if ((service.name ?? '') === '') report(context, `${path}.name`, 'the service has no name; give package.Service');
    if ((service.methodNames ?? []).length === 0)
      report(context, `${path}.method_names`, 'no method is named, so none is counted; name at least one');
    for (const method of service.methodNames ?? []) names.add(methodKey(service.name ?? '', method, underscores));
  }
  return context.issues.length > before ? null : names;
}

function report(context: Context, path: string, message: string): void {
  context.issues.push({ code: 'WEFT0860', level: 'error', path, message });
}
