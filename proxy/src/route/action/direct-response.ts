// Envoy's `DirectResponseAction`: the route answers by itself. A body from a file is read once, when the configuration is accepted.

import type { envoy } from '@weft/api/xds/types';
import { type IssueSink, readDataBytes, reportError, sinkAt } from '../../security/data-source.ts';

type DataSource = envoy.config.core.v3.DataSource;

export interface DirectResponse {
  readonly status: number;
  readonly body: string;
}

/** Envoy's `max_direct_response_body_size_bytes`. */
export const defaultMaxBodyBytes = 4096;

/** Null after reporting. */
export function compileDirectResponse(
  config: envoy.config.route.v3.DirectResponseAction,
  maxBodyBytes: number,
  sink: IssueSink,
): DirectResponse | null {
  const { status = 0 } = config;
  // An informational status would leave the client waiting for the real one.
  const isStatus = status >= 200 && status <= 599;
  if (!isStatus) reportError(sinkAt(sink, 'status'), 'WEFT0332', `${status} is no final HTTP status; give 200 to 599`);
  const body = config.body === undefined ? '' : readBody(config.body, maxBodyBytes, sinkAt(sink, 'body'));
  if (body === null || !isStatus) return null;
  if (body !== '' && (status === 204 || status === 205 || status === 304)) {
    return reportError(
      sinkAt(sink, 'body'),
      'WEFT0332',
      `a response with status ${status} has no body; remove it or change the status`,
    );
  }
  return { status, body };
}

function readBody(source: DataSource, maxBodyBytes: number, sink: IssueSink): string | null {
  const tooLargeHint = 'raise max_direct_response_body_size_bytes or shorten the body';
  const codes = { missingCode: 'WEFT0333', unreadableCode: 'WEFT0333' };
  const bytes = readDataBytes(source, sink, { ...codes, takesEmpty: true, maxFileBytes: maxBodyBytes, tooLargeHint });
  if (bytes === null) return null;
  if (bytes.length > maxBodyBytes) {
    const problem = `the body has ${bytes.length} bytes, more than ${maxBodyBytes}; ${tooLargeHint}`;
    return reportError(sink, 'WEFT0333', problem);
  }
  const text = bytes.toString('utf8');
  if (Buffer.compare(Buffer.from(text, 'utf8'), bytes) === 0) return text;
  return reportError(sink, 'WEFT0333', 'the body is no UTF-8 text; binary bodies are not carried out');
}
