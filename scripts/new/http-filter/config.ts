// Compiles the configuration of the sample filter; runs when configuration changes, never for a request.

import type { google } from '@weft/api/xds/types';
import { unpackAny } from '@weft/lib/protobuf/codec';
import type { HttpFilterContext } from '../../../proxy/src/http-filter/filters.ts';
import { SampleFilter } from './filter.ts';

/** Name of the configuration message; a filter of its own wants one of its own in `api/proto/`. */
export const sampleType = 'google.protobuf.Struct';

type Context = Pick<HttpFilterContext, 'issues' | 'path' | 'scope'>;

/** Null after reporting errors. Throws `ProtobufError` for bytes that are no such message. */
export function compileSample(config: google.protobuf.Any, name: string, context: Context): SampleFilter | null {
  const { header } = unpackAny(config, sampleType);
  if (typeof header === 'string' && /^[a-z0-9-]+$/.test(header)) return new SampleFilter(name, header, context.scope);
  const message = `the header ${JSON.stringify(header ?? null)} is no lower-case header name; set one`;
  context.issues.push({ code: 'WEFT0000', level: 'error', message, path: `${context.path}.header` });
  return null;
}
