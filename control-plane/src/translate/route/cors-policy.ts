// `corsPolicy` of an HTTP route, as the route's own configuration of the CORS filter.

import { parseDurationMs } from '@weft/api/resource/duration';
import type { HttpRoute } from '@weft/api/resource/http-route';
import type { envoy, google } from '@weft/api/xds/types';
import { packAny } from '@weft/lib/protobuf/codec';
import { stringMatcher } from '../message.ts';

type CorsPolicy = envoy.extensions.filters.http.cors.v3.CorsPolicy;
type CorsRule = NonNullable<HttpRoute['corsPolicy']>;

export const corsFilterName = 'envoy.filters.http.cors';

/** `typed_per_filter_config` of a route with a policy for origins; undefined without. */
export function corsConfig(rule: CorsRule | undefined): { readonly [filter: string]: google.protobuf.Any } | undefined {
  if (rule === undefined) return undefined;
  const message: CorsPolicy = {
    allowOriginStringMatch: originsOf(rule),
    filterEnabled: { defaultValue: { numerator: 100 } },
    ...listField('allowMethods', rule.allowMethods),
    ...listField('allowHeaders', rule.allowHeaders),
    ...listField('exposeHeaders', rule.exposeHeaders),
    ...maxAgeField(rule),
    ...(rule.allowCredentials === undefined ? {} : { allowCredentials: rule.allowCredentials }),
    // Preflights of other origins go to the service unless they are to be ignored.
    forwardNotMatchingPreflights: rule.unmatchedPreflights !== 'IGNORE',
  };
  return { [corsFilterName]: packAny('envoy.extensions.filters.http.cors.v3.CorsPolicy', message) };
}

function originsOf({ allowOrigin = [], allowOrigins }: CorsRule): envoy.type.matcher.v3.StringMatcher[] {
  if (allowOrigins === undefined) return allowOrigin.map((exact) => ({ exact }));
  return allowOrigins.map(stringMatcher).filter((matcher) => matcher !== null);
}

type ListField = 'allowMethods' | 'allowHeaders' | 'exposeHeaders';

function listField(name: ListField, values: readonly string[] | undefined): CorsPolicy {
  return values === undefined || values.length === 0 ? {} : { [name]: values.join(',') };
}

// The header counts seconds.
function maxAgeField({ maxAge }: CorsRule): CorsPolicy {
  const ms = maxAge === undefined ? null : parseDurationMs(maxAge);
  return ms === null ? {} : { maxAge: String(Math.floor(ms / 1000)) };
}
