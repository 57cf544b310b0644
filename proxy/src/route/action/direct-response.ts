// Envoy's `DirectResponseAction`: the route answers by itself. A body from a file is read once, when the configuration is accepted.

import { readFileSync, statSync } from 'node:fs';
import type { envoy } from '@weft/api/xds/types';
import { messageOf } from '@weft/lib/error';
import { type IssueSink, reportError, sinkAt } from '../../security/data-source.ts';

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
  const bytes = readSource(source, maxBodyBytes, sink);
  if (bytes === null) return null;
  if (bytes.length > maxBodyBytes) {
    return reportError(
      sink,
      'WEFT0333',
      `the body has ${bytes.length} bytes, more than max_direct_response_body_size_bytes (${maxBodyBytes}); raise it or shorten the body`,
    );
  }
  const text = bytes.toString('utf8');
  if (Buffer.compare(Buffer.from(text, 'utf8'), bytes) === 0) return text;
  return reportError(sink, 'WEFT0333', 'the body is no UTF-8 text; binary bodies are not carried out');
}

function readSource(source: DataSource, maxBodyBytes: number, sink: IssueSink): Buffer | null {
  if (source.inlineString !== undefined) return Buffer.from(source.inlineString, 'utf8');
  if (source.inlineBytes !== undefined) return Buffer.from(source.inlineBytes);
  if (source.environmentVariable !== undefined) {
    const value = process.env[source.environmentVariable];
    if (value !== undefined) return Buffer.from(value, 'utf8');
    return reportError(
      sinkAt(sink, 'environment_variable'),
      'WEFT0333',
      `the environment variable ${source.environmentVariable} is not set; set it or give the body inline`,
    );
  }
  if (source.filename === undefined)
    return reportError(sink, 'WEFT0333', 'the body names no source; give inline_string, inline_bytes or filename');
  try {
    const { size } = statSync(source.filename);
    // Only its size is wanted of a file that is too large.
    return size > maxBodyBytes ? Buffer.alloc(size > 2 ** 30 ? maxBodyBytes + 1 : size) : readFileSync(source.filename);
  } catch (error) {
    return reportError(
      sinkAt(sink, 'filename'),
      'WEFT0333',
      `cannot read ${source.filename}: ${messageOf(error)}; check the path and its permissions`,
    );
  }
}
