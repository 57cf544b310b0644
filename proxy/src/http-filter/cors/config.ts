// Compiles `envoy.extensions.filters.http.cors.v3.CorsPolicy`. The filter itself has no settings: routes and virtual hosts have.

import type { envoy, google } from '@weft/api/xds/types';
import { unpackAny } from '@weft/lib/protobuf/codec';
import { fractionOf } from '../../cluster/fraction.ts';
import { sinkAt } from '../../security/data-source.ts';
import { compileStringMatcher } from '../../security/string-matcher.ts';
import type { HttpFilterContext } from '../filters.ts';
import { CorsFilter, type CorsPolicy } from './filter.ts';

type Any = google.protobuf.Any;
type Context = Pick<HttpFilterContext, 'issues' | 'path'>;

/** The message of a route or virtual host. */
export const corsPolicyType = 'envoy.extensions.filters.http.cors.v3.CorsPolicy';

/** Does nothing until a route has a policy. */
export function compileCors(
  _config: Any,
  name: string,
  context: Pick<HttpFilterContext, 'scope' | 'random'>,
): CorsFilter {
  return new CorsFilter(name, context);
}

/** The policy of a route; null after reporting errors. Throws `ProtobufError` for bytes that are no such message. */
export function compileCorsPolicy(any: Any, context: Context): CorsPolicy | null {
  const config = unpackAny(any, corsPolicyType);
  const origins = (config.allowOriginStringMatch ?? []).map((matcher, i) =>
    compileStringMatcher(matcher, sinkAt(context, `allow_origin_string_match[${i}]`)),
  );
  const allowed = origins.filter((matcher) => matcher !== null);
  if (allowed.length < origins.length) return null;
  // As Envoy: whoever lists the word * means every origin.
  const isAny = allowed.some((matches) => matches('*'));
  return {
    isAllowed: (origin) => isAny || allowed.some((matches) => matches(origin)),
    methods: config.allowMethods ?? '',
    headers: config.allowHeaders ?? '',
    exposed: config.exposeHeaders ?? '',
    maxAge: config.maxAge ?? '',
    hasCredentials: config.allowCredentials === true,
    hasPrivateNetwork: config.allowPrivateNetworkAccess === true,
    forwardsOtherPreflights: config.forwardNotMatchingPreflights !== false,
    share: shareOf(config.filterEnabled, 1),
    shadowShare: shareOf(config.shadowEnabled, 0),
  };
}

function shareOf(config: envoy.config.core.v3.RuntimeFractionalPercent | undefined, otherwise: number): number {
  return config === undefined ? otherwise : fractionOf(config.defaultValue);
}
