// The proxy's own log: one JSON line per event, a level per component that may change while running, written without waiting.

import type { Clock } from './clock.ts';
import { codeOf, messageOf } from './error.ts';
import type { LineWriter } from './line-writer.ts';
import type { LogFields } from './log-field.ts';

/** From most to least talkative. `error`: a person must act; `warn`: degraded; `info`: life cycle. */
export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'off'] as const;
export type LogLevel = (typeof logLevels)[number];

const TRACE = 0;
const DEBUG = 1;
const INFO = 2;
const WARN = 3;
const ERROR = 4;

/** The level of that name, also by Envoy's words (`warning`, `critical`), or null. */
export function parseLogLevel(text: string): LogLevel | null {
  const word = text.toLowerCase();
  if (word === 'warning') return 'warn';
  if (word === 'critical') return 'error';
  return logLevels.find((level) => level === word) ?? null;
}

/** One component's level; every `Log` of that component looks at the same one. */
class Component {
  readonly name: string;
  threshold: number;
  /** Set by name, so a change of the default leaves it alone. */
  isOwn = false;

  constructor(name: string, threshold: number) {
    this.name = name;
    this.threshold = threshold;
  }
}

/** The levels of a process: a default and what was set per component. */
export class LogControl {
  /** Called after a level was set. */
  onChange: (() => void) | null = null;
  private readonly components: Map<string, Component> = new Map();
  private defaultThreshold: number;

  constructor(level: LogLevel) {
    this.defaultThreshold = logLevels.indexOf(level);
  }

  /** The default level, for whoever is to log as this process does. */
  get defaultLevel(): LogLevel {
    return logLevels[this.defaultThreshold] ?? 'off';
  }

  /** Every component known, with its level, by name. */
  levels(): [component: string, level: LogLevel][] {
    const list = [...this.components.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    return list.map((component) => [component.name, logLevels[component.threshold] ?? 'off']);
  }

  /** Sets every component, also those made later. */
  setAll(level: LogLevel): void {
    this.defaultThreshold = logLevels.indexOf(level);
    for (const component of this.components.values()) {
      component.threshold = this.defaultThreshold;
      component.isOwn = false;
    }
    this.onChange?.();
  }

  /** Sets one component; false when nothing has logged under that name. */
  set(name: string, level: LogLevel): boolean {
    const component = this.components.get(name);
    if (component === undefined) return false;
    component.threshold = logLevels.indexOf(level);
    component.isOwn = true;
    this.onChange?.();
    return true;
  }

  /** The component of that name, made on first use. */
  component(name: string): Component {
    const existing = this.components.get(name);
    if (existing !== undefined) return existing;
    const made = new Component(name, this.defaultThreshold);
    this.components.set(name, made);
    return made;
  }
}

/** Applies `upstream:debug,xds:trace` (components are made if need be); returns what could not be read. */
export function applyComponentLevels(control: LogControl, text: string): string[] {
  const unread: string[] = [];
  for (const part of text.split(',')) {
    const word = part.trim();
    if (word === '') continue;
    const [name = '', levelText = ''] = word.split(':');
    const level = parseLogLevel(levelText);
    if (name === '' || level === null) {
      unread.push(word);
      continue;
    }
    control.component(name);
    control.set(name, level);
  }
  return unread;
}

/** What all logs of a process share. */
export interface LogOutput {
  readonly writer: Pick<LineWriter, 'write'>;
  readonly clock: Clock;
  readonly control: LogControl;
}

/** Writes the lines of one component. Messages are fixed text; what varies goes into fields. */
export class Log {
  private readonly output: LogOutput;
  private readonly component: Component;
  /** `,"component":"xds","name":"value"`: said once, used in every line. */
  private readonly fixed: string;
  private readonly fields: LogFields;

  constructor(output: LogOutput, component: string, fields: LogFields = {}) {
    this.output = output;
    this.component = output.control.component(component);
    this.fields = fields;
    this.fixed = `,"component":${JSON.stringify(component)}${encodeFields(fields)}`;
  }

  /** The log of another component, with this one's fields and more. */
  child(component: string, fields: LogFields = {}): Log {
    return new Log(this.output, component, { ...this.fields, ...fields });
  }

  get control(): LogControl {
    return this.output.control;
  }

  /** Ask before building fields for `debug`. */
  get debugOn(): boolean {
    return this.component.threshold <= DEBUG;
  }

  get traceOn(): boolean {
    return this.component.threshold <= TRACE;
  }

  trace(message: string, fields?: LogFields): void {
    if (this.component.threshold <= TRACE) this.write('trace', message, fields);
  }

  debug(message: string, fields?: LogFields): void {
    if (this.component.threshold <= DEBUG) this.write('debug', message, fields);
  }

  info(message: string, fields?: LogFields): void {
    if (this.component.threshold <= INFO) this.write('info', message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    if (this.component.threshold <= WARN) this.write('warn', message, fields);
  }

  error(message: string, fields?: LogFields): void {
    if (this.component.threshold <= ERROR) this.write('error', message, fields);
  }

  /** Lines that another thread of the process made; false when they were dropped. */
  passOn(lines: string): boolean {
    return this.output.writer.write(lines);
  }

  private write(level: LogLevel, message: string, fields: LogFields | undefined): void {
    const time = new Date(this.output.clock.wallMs()).toISOString();
    const rest = fields === undefined ? '' : encodeFields(fields);
    this.output.writer.write(
      `{"time":"${time}","level":"${level}","message":${JSON.stringify(message)}${this.fixed}${rest}}`,
    );
  }
}

/** A log that writes nothing, for tests and for parts used without a process around them. */
export function silentLog(clock: Clock): Log {
  return new Log({ writer: { write: () => true }, clock, control: new LogControl('off') }, 'silent');
}

const valueLimit = 8 * 1024;

function encodeFields(fields: LogFields): string {
  let text = '';
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    if (name === 'error') text += encodeError(value);
    else text += `,${JSON.stringify(name)}:${encodeValue(name, value)}`;
  }
  return text;
}

function encodeError(thrown: unknown): string {
  const code = codeOf(thrown);
  const text = `,"error":${JSON.stringify(conceal('error', messageOf(thrown)))}`;
  return code === '' ? text : `${text},"errorCode":${JSON.stringify(code)}`;
}

function encodeValue(name: string, value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(conceal(name, value));
  if (Array.isArray(value)) return JSON.stringify(value.map((item) => conceal(name, String(item))));
  if (typeof value === 'number' && !Number.isFinite(value)) return `"${value}"`;
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return JSON.stringify(value);
  return JSON.stringify(conceal(name, String(value)));
}

const secretName = /authorization|cookie|credential|passw|private|token$|^key$/i;
const secretValue =
  /-----BEGIN [A-Z ]*PRIVATE KEY-----|\b(?:Bearer|Basic) [A-Za-z0-9+/=._~-]{8,}|:\/\/[^\s/@:]*:[^\s/@]+@/;

// The last line of defence: no caller means to log a secret, but an error message may quote one.
function conceal(name: string, value: string): string {
  if (secretName.test(name) || secretValue.test(value)) return '[concealed]';
  return value.length > valueLimit ? `${value.slice(0, valueLimit)}\u2026 (${value.length} characters)` : value;
}
