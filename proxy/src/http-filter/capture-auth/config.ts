// Compiles `weft.extensions.filters.http.capture_auth.v1.CaptureAuth`.

import type { google } from '@weft/api/xds/types';
import type { Issue } from '@weft/lib/issue';
import type { Scope } from '@weft/lib/metrics';
import { unpackAny } from '@weft/lib/protobuf/codec';
import { reportError, sinkAt } from '../../security/data-source.ts';
import { CaptureAuthFilter } from './filter.ts';

/** What compiling needs of the chain's context. */
interface Context {
  readonly scope: Scope;
  readonly issues: Issue[];
  readonly path: string;
}

/** Null after reporting errors. Throws `ProtobufError` for bytes that are no such message. */
export function compileCaptureAuth(
  config: google.protobuf.Any,
  name: string,
  context: Context,
): CaptureAuthFilter | null {
  const message = unpackAny(config, 'weft.extensions.filters.http.capture_auth.v1.CaptureAuth');
  const sha256 = message.credentialSha256 ?? '';
  if (!/^[0-9a-f]{64}$/.test(sha256)) {
    const problem =
      'not a SHA-256 hash in lower-case hex; without one every process of the machine could use this port';
    return reportError(sinkAt(context, 'credential_sha256'), 'WEFT0740', problem);
  }
  return new CaptureAuthFilter(name, Buffer.from(sha256, 'hex'), context.scope);
}
