// Reads Envoy's `DataSource`: inline text, inline bytes, a file, or an environment variable.

import { readFileSync, statSync } from 'node:fs';
import type { envoy } from '@weft/api/xds/types';
import { describeReadProblem } from '@weft/lib/disk/read-problem';
import type { Issue } from '@weft/lib/issue';

type DataSource = envoy.config.core.v3.DataSource;

/** A certificate bundle is far smaller; a wrong path to something huge must not fill the memory. */
const maxFileBytes = 4 * 1024 * 1024;

/** Where the issues of one compilation go, and the path of the field they are about. */
export interface IssueSink {
  readonly issues: Issue[];
  readonly path: string;
}

/** The sink for a field below. */
export function sinkAt(sink: IssueSink, field: string): IssueSink {
  return { issues: sink.issues, path: sink.path === '' ? field : `${sink.path}.${field}` };
}

/** Reports an error on the sink's own path. */
export function reportError(sink: IssueSink, code: string, message: string): null {
  sink.issues.push({ code, level: 'error', path: sink.path, message });
  return null;
}

/** Reports a warning on the sink's own path. */
export function reportWarning(sink: IssueSink, code: string, message: string): void {
  sink.issues.push({ code, level: 'warning', path: sink.path, message });
}

/** The text, or null after reporting why there is none. Config time only: it reads files synchronously. */
export function readDataSource(source: DataSource, sink: IssueSink): string | null {
  return readDataBytes(source, sink)?.toString('utf8') ?? null;
}

/** The same as bytes. */
export function readDataBytes(source: DataSource, sink: IssueSink): Buffer | null {
  if (source.inlineString !== undefined) return Buffer.from(source.inlineString);
  if (source.inlineBytes !== undefined) return Buffer.from(source.inlineBytes);
  if (source.filename !== undefined) return readSmallFile(source.filename, sinkAt(sink, 'filename'));
  if (source.environmentVariable === undefined) {
    return reportError(
      sink,
      'WEFT0700',
      'the data source names no source; give inline_string, inline_bytes or filename',
    );
  }
  const value = process.env[source.environmentVariable];
  if (value !== undefined && value !== '') return Buffer.from(value);
  const problem = `the environment variable ${source.environmentVariable} is not set; set it or use a file`;
  return reportError(sinkAt(sink, 'environment_variable'), 'WEFT0701', problem);
}

function readSmallFile(file: string, sink: IssueSink): Buffer | null {
  try {
    if (statSync(file).size > maxFileBytes) {
      return reportError(sink, 'WEFT0701', `${file} is larger than ${maxFileBytes} bytes; is it the right file?`);
    }
    return readFileSync(file);
  } catch (error) {
    return reportError(
      sink,
      'WEFT0701',
      `cannot read ${file}: ${describeReadProblem(error)}; check the path and its permissions`,
    );
  }
}

/** ` in FILE` for messages about what a file holds, nothing for what came inline. */
export function placeOf(source: DataSource | undefined): string {
  return source?.filename === undefined ? '' : ` in ${source.filename}`;
}

/** The files a source depends on. */
export function filesOf(...sources: readonly (DataSource | undefined)[]): string[] {
  return sources.flatMap((source) => (source?.filename === undefined ? [] : [source.filename]));
}

/** Reports every set field that is not carried out; a field set to its default (`false`) changes nothing. */
export function refuseFields<T extends object>(
  message: T,
  fields: Readonly<Partial<Record<keyof T & string, string>>>,
  sink: IssueSink,
): void {
  for (const [field, name] of Object.entries(fields)) {
    const value: unknown = Reflect.get(message, field);
    if (value === undefined || value === false) continue;
    reportError(sinkAt(sink, String(name)), 'WEFT0709', `${name} is not supported; remove it`);
  }
}
