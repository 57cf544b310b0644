// Checks a message against the support tables: what Weft does not carry out is an error, what has no effect a warning. Used for the
// bootstrap and, by the xDS client, for every resource.

import type { envoy, google } from '@weft/api/xds/types';
import type { Issue, IssueLevel, Origin } from '@weft/lib/issue';
import { type MessageName, ProtobufError, typeNameOf, unknownFieldsOf } from '@weft/lib/protobuf/codec';
import { decodeLayout } from '@weft/lib/protobuf/decode';
import { durationMs } from '@weft/lib/protobuf/duration';
import { fieldPath, indexPath, keyPath } from '@weft/lib/protobuf/field-path';
import { describe, isMessageObject } from '@weft/lib/protobuf/message-form';
import { depthLimit } from '@weft/lib/protobuf/protobuf-error';
import {
  type FieldLayout,
  findLayout,
  layoutOf,
  type MessageLayout,
  T_ENUM,
  T_MESSAGE,
} from '@weft/lib/protobuf/schema';
import { extensionTypeOf } from '@weft/lib/protobuf/typed-struct';
import type { MessageObject } from '@weft/lib/protobuf/unknown-fields';
import { WireReader } from '@weft/lib/protobuf/wire-reader';
import { originOf, tagIssues } from '../cluster/origin.ts';
import { bootstrapSupport } from './support/bootstrap.ts';
import { clusterSupport } from './support/cluster.ts';
import { coreSupport } from './support/core.ts';
import { extensionSupport } from './support/extensions.ts';
import { httpSupport } from './support/http.ts';
import { listenerSupport } from './support/listener.ts';
import { policySupport } from './support/policy.ts';
import { routeSupport } from './support/route.ts';
import type { ExtensionSupport, MessageSupport, SupportTable } from './support/support-table.ts';
import { telemetrySupport } from './support/telemetry.ts';
import { tlsSupport } from './support/tls.ts';

/** Every message that Weft carries out, and which of its fields. */
export const supportTable: SupportTable = {
  ...bootstrapSupport,
  ...clusterSupport,
  ...coreSupport,
  ...httpSupport,
  ...listenerSupport,
  ...policySupport,
  ...routeSupport,
  ...telemetrySupport,
  ...tlsSupport,
};

/** Everything in the message that is not carried out, or has no effect, with full paths in original names under `path`. */
export function checkSupport(typeName: MessageName, message: unknown, path = ''): Issue[] {
  const issues: Issue[] = [];
  new SupportWalker(issues).walk(layoutOf(typeName), message, { path, depth: 0 });
  return issues;
}

/**
 * Whether an extension is accepted without being carried out, so that whoever compiles the filters leaves it out: those that only
 * exchange or report facts, and optional ones that Weft does not have.
 * `place` is `Message.field`, such as `envoy.config.listener.v3.Filter.typed_config`.
 */
export function isIgnoredExtension(place: string, any: google.protobuf.Any, isOptional = false): boolean {
  const support = extensionSupport[place];
  if (support === undefined) return false;
  if (support.ignored?.includes(extensionTypeOf(any)) === true) return true;
  return isOptional && !support.carried.includes(typeNameOf(any.typeUrl));
}

interface CompiledSupport {
  readonly entry: MessageSupport;
  readonly carried: ReadonlySet<string>;
}

/** One message on the way through the configuration. */
interface Visit {
  readonly path: string;
  readonly depth: number;
  /** A field that is carried out in this place only. */
  readonly also?: string | undefined;
}

const compiled = new Map<string, CompiledSupport>();

function supportOf(name: string): CompiledSupport | null {
  const known = compiled.get(name);
  if (known !== undefined) return known;
  const entry = supportTable[name];
  if (entry === undefined) return null;
  const made = { entry, carried: new Set(entry.carried.split(' ')) };
  compiled.set(name, made);
  return made;
}

class SupportWalker {
  private readonly issues: Issue[];

  constructor(issues: Issue[]) {
    this.issues = issues;
  }

  private report(code: string, level: IssueLevel, path: string, message: string): void {
    this.issues.push({ code, level, message, path });
  }

  walk(layout: MessageLayout, message: unknown, { path, depth, also }: Visit): void {
    if (layout.form !== 'fields' || !isMessageObject(message)) return;
    if (depth > depthLimit) {
      this.report(
        'WEFT0109',
        'error',
        path,
        `is nested more than ${depthLimit} messages deep; flatten the configuration`,
      );
      return;
    }
    const support = supportOf(layout.name);
    if (support === null) {
      if (Object.keys(message).length > 0 || layout.fields.length === 0) {
        this.report('WEFT0123', 'error', path, `${layout.name} is not carried out by Weft; remove it`);
      }
      return;
    }
    const before = this.issues.length;
    this.checkUnknown(support.entry, layout, message, path);
    this.checkDurations(support.entry, layout, message, path);
    for (const field of layout.fields) {
      const value = message[field.name];
      if (value === undefined || this.isLeftOut(layout, message, field, path)) continue;
      const at = fieldPath(path, field.originalName);
      if (support.carried.has(field.originalName) || also === field.originalName)
        this.walkField(layout, field, value, at, depth);
      else if (!isDefault(support.entry, field, value)) this.reportNotCarried(support.entry, field, at);
    }
    if (this.issues.length > before) tagIssues(this.issues, before, originIn(layout, message));
  }

  /** An optional filter that Weft does not have: the configuration itself says that it may be missing. */
  private isLeftOut(layout: MessageLayout, message: MessageObject, field: FieldLayout, path: string): boolean {
    const any = message[field.name];
    if (message.isOptional !== true || !isAny(any)) return false;
    const place = `${layout.name}.${field.originalName}`;
    if (!isIgnoredExtension(place, any, true)) return false;
    if (!isIgnoredExtension(place, any)) {
      const name = extensionTypeOf(any) || 'something unreadable';
      this.report(
        'WEFT0121',
        'warning',
        fieldPath(path, field.originalName),
        `${name} has no effect in Weft: it is optional, and left out`,
      );
    }
    return true;
  }

  private checkUnknown(entry: MessageSupport, layout: MessageLayout, message: MessageObject, path: string): void {
    for (const raw of unknownFieldsOf(message)) {
      const number = new WireReader(raw).readTag() >>> 3;
      const reason = entry.newer?.[number];
      if (reason !== undefined) {
        this.report('WEFT0121', 'warning', path, `holds field ${number}, which has no effect in Weft: ${reason}`);
        continue;
      }
      const problem = `holds field ${number} of ${layout.name}, which this version of Weft does not know`;
      this.report('WEFT0125', 'error', path, `${problem}; the sender is newer: update Weft, or leave the field unset`);
    }
  }

  private checkDurations(entry: MessageSupport, layout: MessageLayout, message: MessageObject, path: string): void {
    for (const [name, need] of Object.entries(entry.durations ?? {})) {
      const field = layout.fields.find((one) => one.originalName === name);
      const value = field === undefined ? undefined : message[field.name];
      if (value === undefined ? need === 'optional' : durationMs(value as google.protobuf.Duration) >= 1) continue;
      const problem = value === undefined ? 'is missing' : 'is too short';
      this.report('WEFT0103', 'error', fieldPath(path, name), `${problem}; give a duration of 0.001s or more`);
    }
  }

  private walkField(layout: MessageLayout, field: FieldLayout, value: unknown, path: string, depth: number): void {
    if (field.isDeprecated)
      this.report('WEFT0122', 'warning', path, 'is deprecated, though still carried out; move to its successor');
    const range = supportTable[layout.name]?.ranges?.[field.originalName];
    for (const [element, at] of elementsOf(field, value, path)) {
      if (range !== undefined) this.checkRange(range, element, at);
      if (field.type === T_ENUM) this.checkEnum(supportTable[layout.name], field, element, at);
      else if (field.type === T_MESSAGE) this.walkElement(layout, field, element, at, depth);
    }
  }

  private checkRange([least, most]: readonly [number, number], value: unknown, path: string): void {
    if (typeof value !== 'number' || (value >= least && value <= most)) return;
    this.report('WEFT0103', 'error', path, `${value} is out of range; use a whole number from ${least} to ${most}`);
  }

  private reportNotCarried(entry: MessageSupport, field: FieldLayout, path: string): void {
    const reason = entry.harmless?.[field.originalName];
    if (reason !== undefined) {
      this.report('WEFT0121', 'warning', path, `has no effect in Weft: ${reason}`);
      return;
    }
    const advice = entry.instead?.[field.originalName] ?? 'remove it';
    if (field.isDeprecated) this.report('WEFT0122', 'error', path, `is deprecated and not carried out; ${advice}`);
    else
      this.report(
        'WEFT0120',
        'error',
        path,
        `is not carried out by Weft, and ignoring it would change what happens; ${advice}`,
      );
  }

  private checkEnum(entry: MessageSupport | undefined, field: FieldLayout, value: unknown, path: string): void {
    if (typeof value === 'number') {
      this.report(
        'WEFT0124',
        'error',
        path,
        `${value} is a value of ${field.enum.name} that this version of Weft does not know; use a known one`,
      );
      return;
    }
    const allowed = entry?.values?.[field.originalName]?.split(' ');
    if (allowed === undefined || typeof value !== 'string' || allowed.includes(value)) return;
    this.report('WEFT0124', 'error', path, `${value} is not carried out by Weft; use ${allowed.join(' or ')}`);
  }

  private walkElement(layout: MessageLayout, field: FieldLayout, element: unknown, path: string, depth: number): void {
    const inner =
      field.mapValue === null ? field.message : field.mapValue.type === T_MESSAGE ? field.mapValue.message : null;
    if (inner === null) return;
    const extension = extensionSupport[`${layout.name}.${field.originalName}`];
    if (extension === undefined) {
      if (inner.form === 'any') this.reportExtension('extension', element, path, []);
      const also = supportTable[layout.name]?.inside?.[field.originalName];
      this.walk(inner, element, { path, depth: depth + 1, also });
      return;
    }
    // Some places hold the Any itself, others a named TypedExtensionConfig around it.
    if (inner.form === 'any') this.walkAny(extension, element, path, depth);
    else if (isMessageObject(element)) {
      this.walkAny(extension, element.typedConfig, fieldPath(path, 'typed_config'), depth);
    }
  }

  private reportExtension(role: string, any: unknown, path: string, known: readonly string[]): void {
    const name = isAny(any) ? extensionTypeOf(any) || 'something unreadable' : describe(any);
    const short = known.map((type) => type.slice(type.lastIndexOf('.') + 1)).join(', ');
    const advice = short === '' ? 'remove it' : `remove it, or use one of ${short}`;
    this.report('WEFT0123', 'error', path, `${name} is not carried out by Weft as ${role}; ${advice}`);
  }

  private walkAny(extension: ExtensionSupport, any: unknown, path: string, depth: number): void {
    if (!isAny(any)) {
      if (any !== undefined) this.reportExtension(extension.role, any, path, extension.carried);
      return;
    }
    const name = typeNameOf(any.typeUrl);
    if (extension.ignored?.includes(extensionTypeOf(any)) === true) return;
    const inner = findLayout(name);
    if (inner === null || !extension.carried.includes(name)) {
      this.reportExtension(extension.role, any, path, extension.carried);
      return;
    }
    this.walkDecoded(inner, any.value, path, depth);
  }

  private walkDecoded(inner: MessageLayout, bytes: Uint8Array, path: string, depth: number): void {
    try {
      this.walk(inner, decodeLayout(inner, bytes), { path, depth: depth + 1 });
    } catch (thrown) {
      if (!(thrown instanceof ProtobufError)) throw thrown;
      this.report(thrown.code, 'error', path, `${thrown.message}; the sender and Weft disagree on this message`);
    }
  }
}

function isAny(value: unknown): value is { typeUrl: string; value: Uint8Array } {
  return isMessageObject(value) && typeof value.typeUrl === 'string' && value.value instanceof Uint8Array;
}

/** Whether a field that is not carried out says no more than what happens without it. */
function isDefault(entry: MessageSupport, field: FieldLayout, value: unknown): boolean {
  const known = entry.defaults?.[field.originalName];
  if (known !== undefined) return value === known;
  if (value === false) return true;
  return field.type === T_ENUM && field.enum.numbers.get(String(value)) === 0;
}

/** The values of a repeated or map field with their paths; of another field, the one. */
function elementsOf(field: FieldLayout, value: unknown, path: string): [element: unknown, path: string][] {
  if (field.mapValue !== null && isMessageObject(value)) {
    const map: MessageObject = value;
    return Object.keys(map).map((key) => [map[key], keyPath(path, key)]);
  }
  if (Array.isArray(value)) return value.map((element: unknown, index) => [element, indexPath(path, index)]);
  return [[value, path]];
}

/** Where the control plane says that this message comes from; the innermost one that says so is told. */
function originIn(layout: MessageLayout, message: MessageObject): Origin | null {
  const field = layout.byJsonName.get('metadata');
  if (field === undefined || field.type !== T_MESSAGE || field.message.name !== 'envoy.config.core.v3.Metadata')
    return null;
  return originOf(message.metadata as envoy.config.core.v3.Metadata | undefined);
}
