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

/**
 * The policy of a route; null after reporting errors. As in Envoy, what it leaves out is that of `below`, the policy of the less specific
 * level; whether it holds at all is its own affair. Throws `ProtobufError` for bytes that are no such message.
 */
export function compileCorsPolicy(any: Any, context: Context, below: unknown = null): CorsPolicy | null {
  const config = unpackAny(any, corsPolicyType);
  const origins = (config.allowOriginStringMatch ?? []).map((matcher, i) =>
    compileStringMatcher(matcher, sinkAt(context, `allow_origin_string_match[${i}]`)),
  );
  const allowed = origins.filter((matcher) => matcher !== null);
  if (allowed.length < origins.length) return null;
  // As Envoy: whoever lists the word * means every origin.
  const isAny = allowed.some((matches) => matches('*'));
  const base = isPolicy(below) ? below : noPolicy;
  return {
    isAllowed: allowed.length === 0 ? base.isAllowed : (origin) => isAny || allowed.some((matches) => matches(origin)),
    methods: config.allowMethods || base.methods,
    headers: config.allowHeaders || base.headers,
    exposed: config.exposeHeaders || base.exposed,
    maxAge: config.maxAge || base.maxAge,
    hasCredentials: config.allowCredentials ?? base.hasCredentials,
    hasPrivateNetwork: config.allowPrivateNetworkAccess ?? base.hasPrivateNetwork,
    forwardsOtherPreflights: config.forwardNotMatchingPreflights ?? base.forwardsOtherPreflights,
    share: shareOf(config.filterEnabled, 1),
    shadowShare: shareOf(config.shadowEnabled, 0),
  };
}

const noPolicy: CorsPolicy = {
  isAllowed: () => false,
  methods: '',
  headers: '',
  exposed: '',
  maxAge: '',
  hasCredentials: false,
  hasPrivateNetwork: false,
  forwardsOtherPreflights: true,
  share: 1,
  shadowShare: 0,
};

// Below may be the settings of another filter, or the mark of one that is switched off.
function isPolicy(below: unknown): below is CorsPolicy {
  return typeof below === 'object' && below !== null && 'forwardsOtherPreflights' in below;
}

function shareOf(config: envoy.config.core.v3.RuntimeFractionalPercent | undefined, otherwise: number): number {
  return config === undefined ? otherwise : fractionOf(config.defaultValue);
}
