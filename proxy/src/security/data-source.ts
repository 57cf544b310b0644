// Reads Envoy's `DataSource`: inline text, inline bytes, a file, or an environment variable.

import type { envoy } from '@weft/api/xds/types';
import { FileTooLargeError, readConfigFile } from '@weft/lib/disk/config-file';
import { describeReadProblem } from '@weft/lib/disk/read-problem';
import type { Issue } from '@weft/lib/issue';

type DataSource = envoy.config.core.v3.DataSource;

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

/** How sources of one kind are read. */
export interface DataSourceRules {
  /** Code of the finding where there is no source. */
  readonly missingCode: string;
  /** Code of the finding where the source cannot be read. */
  readonly unreadableCode: string;
  /** Whether an environment variable that is set to nothing is a source. */
  readonly takesEmpty: boolean;
  /** Of a file; what is larger is reported and not read. */
  readonly maxFileBytes: number;
  /** Ends the sentence about a file that is larger: what to do. */
  readonly tooLargeHint: string;
}

/** Certificates, keys, lists of revoked ones. */
const secretRules: DataSourceRules = {
  missingCode: 'WEFT0700',
  unreadableCode: 'WEFT0701',
  takesEmpty: false,
  // A certificate bundle is far smaller; a wrong path to something huge must not fill the memory.
  maxFileBytes: 4 * 1024 * 1024,
  tooLargeHint: 'is it the right file?',
};

/** The text, or null after reporting why there is none. Config time only: it reads files synchronously. */
export function readDataSource(source: DataSource, sink: IssueSink, rules = secretRules): string | null {
  return readDataBytes(source, sink, rules)?.toString('utf8') ?? null;
}

/** The same as bytes. */
export function readDataBytes(source: DataSource, sink: IssueSink, rules = secretRules): Buffer | null {
  if (source.inlineString !== undefined) return Buffer.from(source.inlineString);
  if (source.inlineBytes !== undefined) return Buffer.from(source.inlineBytes);
  if (source.filename !== undefined) return readSmallFile(source.filename, sinkAt(sink, 'filename'), rules);
  if (source.environmentVariable !== undefined) return readVariable(source.environmentVariable, sink, rules);
  return reportError(
    sink,
    rules.missingCode,
    'the data source names no source; give inline_string, inline_bytes, filename or environment_variable',
  );
}

function readVariable(name: string, sink: IssueSink, rules: DataSourceRules): Buffer | null {
  const { unreadableCode, takesEmpty } = rules;
  const value = process.env[name];
  if (value !== undefined && (takesEmpty || value !== '')) return Buffer.from(value);
  const problem = `the environment variable ${name} is ${value === '' ? 'empty' : 'not set'}; set it or use a file`;
  return reportError(sinkAt(sink, 'environment_variable'), unreadableCode, problem);
}

function readSmallFile(file: string, sink: IssueSink, rules: DataSourceRules): Buffer | null {
  const { unreadableCode, maxFileBytes, tooLargeHint } = rules;
  try {
    return readConfigFile(file, maxFileBytes);
  } catch (error) {
    const problem =
      error instanceof FileTooLargeError
        ? `${file} has ${error.size} bytes, more than ${maxFileBytes}; ${tooLargeHint}`
        : `cannot read ${file}: ${describeReadProblem(error)}; check the path and its permissions`;
    return reportError(sink, unreadableCode, problem);
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
