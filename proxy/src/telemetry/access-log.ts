// Access logs from `envoy.config.accesslog.v3.AccessLog`: one line per exchange or connection that its filter takes.

import type { envoy, google } from '@weft/api/xds/types';
import { messageOf } from '@weft/lib/error';
import { hasErrors, type Issue } from '@weft/lib/issue';
import type { LineWriter } from '@weft/lib/line-writer';
import { unpackAny } from '@weft/lib/protobuf/codec';
import { type DataSourceRules, readDataSource } from '../security/data-source.ts';
import { type AccessLogFilter, type AccessLogFilterContext, compileAccessLogFilter } from './access-log-filter.ts';
import type { AccessLogSinks } from './access-log-sinks.ts';
import { compileJsonFormat, compileTextFormat, defaultTextFormat, type FormatPlace, type Formatter } from './format.ts';
import type { LoggedView } from './view.ts';

type AccessLogConfig = envoy.config.accesslog.v3.AccessLog;
type SubstitutionFormat = envoy.config.core.v3.SubstitutionFormatString;

/** What compiling needs from outside. */
export interface AccessLogContext extends Omit<AccessLogFilterContext, 'issues'> {
  readonly sinks: AccessLogSinks;
}

/** Writes finished exchanges; made with a listener, closed with it. */
export interface AccessLogger {
  log(view: LoggedView): void;
  /** Lets its files go when no other logger uses them. */
  close(): void;
}

/** One `AccessLog`, compiled but not yet open. */
interface Plan {
  readonly target: string;
  readonly format: Formatter;
  readonly filter: AccessLogFilter | null;
}

const fileType = 'envoy.extensions.access_loggers.file.v3.FileAccessLog';
const stdoutType = 'envoy.extensions.access_loggers.stream.v3.StdoutAccessLog';
const stderrType = 'envoy.extensions.access_loggers.stream.v3.StderrAccessLog';

const formatRules: DataSourceRules = {
  missingCode: 'WEFT0207',
  unreadableCode: 'WEFT0207',
  takesEmpty: true,
  maxFileBytes: 1024 * 1024,
  tooLargeHint: 'is it the right file?',
};

/**
 * Compiles a list of access logs; null when there is none. Findings are added to `issues`; with an error among them nothing stays
 * open and the result is null.
 */
export function compileAccessLog(
  configs: readonly AccessLogConfig[] | undefined,
  issues: Issue[],
  path: string,
  context: AccessLogContext,
): AccessLogger | null {
  if (configs === undefined || configs.length === 0) return null;
  const found: Issue[] = [];
  const plans: Plan[] = [];
  for (const [i, config] of configs.entries()) {
    const plan = compilePlan(config, found, `${path}[${i}]`, context);
    if (plan !== null) plans.push(plan);
  }
  const logger = hasErrors(found) ? null : openAll(plans, found, path, context.sinks);
  issues.push(...found);
  return logger;
}

function compilePlan(config: AccessLogConfig, issues: Issue[], path: string, context: AccessLogContext): Plan | null {
  const filter =
    config.filter === undefined
      ? null
      : compileAccessLogFilter(config.filter, { ...context, issues }, `${path}.filter`);
  const output = readOutput(config.typedConfig, issues, `${path}.typed_config`);
  return output === null ? null : { ...output, filter };
}

function readOutput(any: google.protobuf.Any | undefined, issues: Issue[], path: string): Omit<Plan, 'filter'> | null {
  const type = any?.typeUrl.replace(/^.*\//, '') ?? '';
  if (any === undefined || ![fileType, stdoutType, stderrType].includes(type)) {
    const message = `the access log '${type}' is not carried out; use one of ${fileType}, ${stdoutType}, ${stderrType}`;
    issues.push({ code: 'WEFT0203', level: 'error', message, path });
    return null;
  }
  try {
    return type === fileType ? readFileOutput(any, issues, path) : readStreamOutput(any, type, issues, path);
  } catch (error) {
    issues.push({ code: 'WEFT0204', level: 'error', message: `the message cannot be read: ${messageOf(error)}`, path });
    return null;
  }
}

function readFileOutput(any: google.protobuf.Any, issues: Issue[], path: string): Omit<Plan, 'filter'> {
  const config = unpackAny(any, fileType);
  if (config.path === undefined || config.path === '') {
    issues.push({
      code: 'WEFT0205',
      level: 'error',
      message: 'the log file has no path; set one',
      path: `${path}.path`,
    });
  }
  const target = config.path ?? '';
  if (config.format !== undefined) {
    return { target, format: compileTextFormat(config.format, false, { issues, path: `${path}.format` }) };
  }
  const json = config.typedJsonFormat ?? config.jsonFormat;
  if (json !== undefined) {
    return { target, format: compileJsonFormat(json, false, { issues, path: `${path}.json_format` }) };
  }
  return { target, format: compileSubstitution(config.logFormat, { issues, path: `${path}.log_format` }) };
}

function readStreamOutput(any: google.protobuf.Any, type: string, issues: Issue[], path: string): Omit<Plan, 'filter'> {
  const isStdout = type === stdoutType;
  const config = isStdout ? unpackAny(any, stdoutType) : unpackAny(any, stderrType);
  return {
    target: isStdout ? '/dev/stdout' : '/dev/stderr',
    format: compileSubstitution(config.logFormat, { issues, path: `${path}.log_format` }),
  };
}

/** The formatter of a `SubstitutionFormatString`; Envoy's default text where there is none. Local reply mappers use it as well. */
export function compileSubstitution(config: SubstitutionFormat | undefined, place: FormatPlace): Formatter {
  if (config === undefined) return compileTextFormat(defaultTextFormat, false, place);
  const { issues, path } = place;
  if (config.formatters !== undefined && config.formatters.length > 0) {
    const message = 'format extensions are not carried out; remove them and the operators they bring';
    issues.push({ code: 'WEFT0206', level: 'error', message, path: `${path}.formatters` });
  }
  const omitEmpty = config.omitEmptyValues === true;
  if (config.jsonFormat !== undefined) {
    return compileJsonFormat(config.jsonFormat, omitEmpty, { issues, path: `${path}.json_format` });
  }
  if (config.textFormatSource !== undefined) {
    const inner = { issues, path: `${path}.text_format_source` };
    return compileTextFormat(readDataSource(config.textFormatSource, inner, formatRules) ?? '', omitEmpty, inner);
  }
  return compileTextFormat(config.textFormat ?? '', omitEmpty, { issues, path: `${path}.text_format` });
}

function openAll(plans: readonly Plan[], issues: Issue[], path: string, sinks: AccessLogSinks): AccessLogger | null {
  const outputs: Output[] = [];
  for (const { target, format, filter } of plans) {
    try {
      outputs.push({ target, format, filter, writer: sinks.acquire(target) });
    } catch (error) {
      const message = `the log file ${target} cannot be opened: ${messageOf(error)}; make its folder or choose another path`;
      issues.push({ code: 'WEFT0208', level: 'error', message, path });
    }
  }
  if (!hasErrors(issues)) return new OpenAccessLogger(outputs, sinks);
  for (const output of outputs) sinks.release(output.target);
  return null;
}

interface Output extends Plan {
  readonly writer: LineWriter;
}

class OpenAccessLogger implements AccessLogger {
  private outputs: readonly Output[];
  private readonly sinks: AccessLogSinks;

  constructor(outputs: readonly Output[], sinks: AccessLogSinks) {
    this.outputs = outputs;
    this.sinks = sinks;
  }

  log(view: LoggedView): void {
    for (const output of this.outputs) {
      if (output.filter === null || output.filter(view)) output.writer.write(output.format(view));
    }
  }

  close(): void {
    const outputs = this.outputs;
    this.outputs = [];
    for (const output of outputs) this.sinks.release(output.target);
  }
}
