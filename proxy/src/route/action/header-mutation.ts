// Headers that a route table, virtual host, route or weighted cluster removes and adds, compiled into one list in Envoy's order.

import type { envoy } from '@weft/api/xds/types';
import type { Headers } from '@weft/lib/header';
import { type IssueSink, reportError, sinkAt } from '../../security/data-source.ts';
import { compileFormat, type Formatter } from '../../telemetry/format.ts';
import type { LoggedView } from '../../telemetry/view.ts';
import { toWire } from '../wire-text.ts';

type HeaderValueOption = envoy.config.core.v3.HeaderValueOption;

const REMOVE = 0;
const APPEND = 1;
const ADD_IF_ABSENT = 2;
const OVERWRITE = 3;
const OVERWRITE_IF_PRESENT = 4;
type Kind = typeof REMOVE | typeof APPEND | typeof ADD_IF_ABSENT | typeof OVERWRITE | typeof OVERWRITE_IF_PRESENT;

/** One step. */
interface Step {
  readonly kind: Kind;
  readonly name: string;
  readonly value: string;
  /** For values with operators, else null. */
  readonly format: Formatter | null;
  readonly keepsEmpty: boolean;
}

/** What one level says. */
export interface MutationLevel {
  readonly request: readonly Step[];
  readonly response: readonly Step[];
}

export interface MutationFields {
  readonly requestHeadersToAdd?: readonly HeaderValueOption[] | undefined;
  readonly requestHeadersToRemove?: readonly string[] | undefined;
  readonly responseHeadersToAdd?: readonly HeaderValueOption[] | undefined;
  readonly responseHeadersToRemove?: readonly string[] | undefined;
}

/** The steps of all levels, in order; null when there is nothing to do. */
export class HeaderMutations {
  private readonly steps: readonly Step[];

  constructor(steps: readonly Step[]) {
    this.steps = steps;
  }

  apply(headers: Headers, stream: LoggedView): void {
    for (const step of this.steps) applyStep(step, headers, stream);
  }
}

function applyStep(step: Step, headers: Headers, stream: LoggedView): void {
  const { kind, name } = step;
  if (kind === REMOVE) {
    headers.remove(name);
    return;
  }
  if (kind === ADD_IF_ABSENT && headers.has(name)) return;
  if (kind === OVERWRITE_IF_PRESENT && !headers.has(name)) return;
  const value = step.format === null ? step.value : step.format(stream);
  if (value === '' && !step.keepsEmpty) return;
  if (kind === APPEND) headers.add(name, value);
  else headers.set(name, value);
}

/** `levels` from the most specific to the table. Later steps win, so that by default the table has the last word, as in Envoy. */
export function orderLevels(
  levels: readonly MutationLevel[],
  mostSpecificWins: boolean,
  side: keyof MutationLevel,
): HeaderMutations | null {
  const ordered = mostSpecificWins ? [...levels].reverse() : levels;
  const steps = ordered.flatMap((level) => level[side]);
  return steps.length === 0 ? null : new HeaderMutations(steps);
}

/** One level. Removals come before additions. */
export function compileMutations(fields: MutationFields, sink: IssueSink): MutationLevel {
  return {
    request: [
      ...compileRemovals(fields.requestHeadersToRemove ?? [], sinkAt(sink, 'request_headers_to_remove')),
      ...compileAdditions(fields.requestHeadersToAdd ?? [], sinkAt(sink, 'request_headers_to_add')),
    ],
    response: [
      ...compileRemovals(fields.responseHeadersToRemove ?? [], sinkAt(sink, 'response_headers_to_remove')),
      ...compileAdditions(fields.responseHeadersToAdd ?? [], sinkAt(sink, 'response_headers_to_add')),
    ],
  };
}

/** What is only added, and to requests; `sink` is the field's own. */
export function compileRequestAdditions(options: readonly HeaderValueOption[], sink: IssueSink): MutationLevel {
  return { request: compileAdditions(options, sink), response: [] };
}

function compileRemovals(names: readonly string[], sink: IssueSink): Step[] {
  return names.flatMap((given, i) => {
    const name = checkName(given, { issues: sink.issues, path: `${sink.path}[${i}]` });
    return name === null ? [] : [{ kind: REMOVE, name, value: '', format: null, keepsEmpty: false }];
  });
}

const kinds: Readonly<Record<string, Kind>> = {
  APPEND_IF_EXISTS_OR_ADD: APPEND,
  ADD_IF_ABSENT,
  OVERWRITE_IF_EXISTS_OR_ADD: OVERWRITE,
  OVERWRITE_IF_EXISTS: OVERWRITE_IF_PRESENT,
};

function compileAdditions(options: readonly HeaderValueOption[], sink: IssueSink): Step[] {
  return options.flatMap((option, i) => {
    const step = compileAddition(option, { issues: sink.issues, path: `${sink.path}[${i}]` });
    return step === null ? [] : [step];
  });
}

function compileAddition(option: HeaderValueOption, sink: IssueSink): Step | null {
  const name = checkName(option.header?.key ?? '', sinkAt(sink, 'header.key'));
  const text =
    option.header?.rawValue === undefined
      ? (option.header?.value ?? '')
      : Buffer.from(option.header.rawValue).toString('utf8');
  const below = sinkAt(sink, 'header.value');
  if (/[\0\r\n]/.test(text))
    return reportError(below, 'WEFT0315', 'the value holds a line break or NUL, which no header may; remove it');
  const before = sink.issues.length;
  const format = text.includes('%') ? compileFormat(text, sink.issues, below.path) : null;
  const isBroken = sink.issues.slice(before).some((issue) => issue.level === 'error');
  const kind = option.append === false ? OVERWRITE : kinds[String(option.appendAction ?? 'APPEND_IF_EXISTS_OR_ADD')];
  if (kind === undefined)
    return reportError(
      sinkAt(sink, 'append_action'),
      'WEFT0316',
      `${option.appendAction} is no append action; use one of ${Object.keys(kinds).join(', ')}`,
    );
  if (name === null || isBroken) return null;
  return { kind, name, value: toWire(text), format, keepsEmpty: option.keepEmptyValue === true };
}

const framing: ReadonlySet<string> = new Set(['content-length', 'transfer-encoding', 'connection', 'upgrade']);

function checkName(given: string, sink: IssueSink): string | null {
  const name = given.toLowerCase();
  if (name.startsWith(':') || name === 'host') {
    return reportError(sink, 'WEFT0314', `"${given}" cannot be added or removed; rewrite the host or path instead`);
  }
  if (framing.has(name))
    return reportError(sink, 'WEFT0314', `"${given}" frames the message and is the proxy's own; leave it alone`);
  if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name))
    return reportError(sink, 'WEFT0314', `"${given}" is no header name; give one`);
  return name;
}
