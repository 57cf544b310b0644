// From a plain value to a resource of the storage version, or every reason why it is none. Files and the API come through here.

import { dnsLabelField } from '@weft/api/resource/field';
import {
  type AnyResource,
  apiVersionOf,
  findKind,
  type KindInfo,
  type KindName,
  kinds,
  type ResourceKinds,
} from '@weft/api/resource/kind';
import type { Secret } from '@weft/api/resource/secret';
import { hasErrors, type Issue, type Origin } from '@weft/lib/issue';
import type { Positions } from '../store/world.ts';
import { Findings } from './findings.ts';
import { formCodes } from './issue-code.ts';
import { kindRules } from './kind-rule.ts';
import { didYouMean } from './near-name.ts';
import { addNotCarriedOut } from './not-carried-out.ts';
import type { PatternBudget } from './regex.ts';
import { addSchemaFindings, addUnknownNulls } from './schema-finding.ts';

/** Where a value comes from. */
export interface ParseContext {
  readonly positions: Positions | null;
  /** For a namespaced resource that names none. */
  readonly defaultNamespace: string;
  /** Of the file that the value stands in; its own when absent. */
  readonly patterns?: PatternBudget;
}

/** A resource that is well formed and means something. */
export interface ParsedResource {
  readonly info: KindInfo;
  /** Empty for kinds without one. */
  readonly namespace: string;
  readonly name: string;
  readonly object: AnyResource;
  readonly positions: Positions | null;
}

/** `resource` is null when any issue is an error. */
export interface ParseResult {
  readonly resource: ParsedResource | null;
  readonly issues: readonly Issue[];
}

/** Parses one document. All findings come at once. */
export function parseResource(value: unknown, context: ParseContext): ParseResult {
  const header = readHeader(value);
  const findings = new Findings(originOf(header, context), context.positions, context.patterns);
  if (isTooDeep(value, maxDepth)) {
    findings.add(formCodes.tooManyNodes, '', `The resource is nested more than ${maxDepth} levels deep.`);
    return { resource: null, issues: findings.issues };
  }
  const info = identify(value, header, findings);
  if (info === null) return { resource: null, issues: findings.issues };
  const cleaned = withoutNulls(value);
  const parsed = info.schema.safeParse(cleaned);
  const found = parsed.success ? [] : parsed.error.issues;
  addSchemaFindings(findings, info.schema, cleaned, found);
  addUnknownNulls(findings, info.schema, value);
  checkIdentity(findings, info, header, context);
  addNotCarriedOut(findings, kindRules[info.id].notCarriedOut ?? [], cleaned);
  // Semantic checks rely on the types of fields, and on lists being short, so they wait until those are right.
  const isSound = found.every(
    (issue) =>
      !['invalid_type', 'invalid_union', 'invalid_key'].includes(issue.code) &&
      !(issue.code === 'too_big' && issue.origin === 'array'),
  );
  const object = isSound ? toStored(info, cleaned, header, context) : null;
  if (object !== null) validateKind(info.id, object, findings);
  const { issues } = findings;
  if (object === null || hasErrors(issues) || header.name === '') return { resource: null, issues };
  const namespace = namespaceFor(info, header, context);
  return { resource: { info, namespace, name: header.name, object, positions: context.positions }, issues };
}

/** No kind comes near it; it keeps hostile input from exhausting the stack. */
const maxDepth = 64;

function isTooDeep(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((member) => isTooDeep(member, levels - 1));
}

interface Header {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace: string;
}

function readHeader(value: unknown): Header {
  const text = (holder: unknown, key: string) => {
    if (typeof holder !== 'object' || holder === null || !(key in holder)) return '';
    const member: unknown = (holder as Record<string, unknown>)[key];
    return typeof member === 'string' ? member : '';
  };
  const metadata = typeof value === 'object' && value !== null && 'metadata' in value ? value.metadata : null;
  return {
    apiVersion: text(value, 'apiVersion'),
    kind: text(value, 'kind'),
    name: text(metadata, 'name'),
    namespace: text(metadata, 'namespace'),
  };
}

function originOf(header: Header, context: ParseContext): Origin | null {
  const { positions } = context;
  if (header.kind === '' && positions === null) return null;
  const info = findKind(header.apiVersion, header.kind);
  return {
    kind: header.kind || 'Resource',
    namespace: info?.namespaced === false ? '' : header.namespace || context.defaultNamespace,
    name: header.name,
    ...(positions === null ? {} : { file: positions.file, line: positions.line }),
  };
}

function identify(value: unknown, header: Header, findings: Findings): KindInfo | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    findings.add(
      formCodes.notAResource,
      '',
      'This is no resource: a mapping with apiVersion, kind and metadata is wanted.',
    );
    return null;
  }
  if (header.apiVersion === '' || header.kind === '') {
    const missing = [header.apiVersion === '' ? 'apiVersion' : '', header.kind === '' ? 'kind' : ''].filter(
      (name) => name !== '',
    );
    findings.add(
      formCodes.notAResource,
      '',
      `This is no resource: ${missing.join(' and ')} ${missing.length === 1 ? 'is' : 'are'} missing.`,
    );
    return null;
  }
  const info = findKind(header.apiVersion, header.kind);
  if (info !== null) return info;
  const sameKind = kinds.filter((each) => each.kind === header.kind);
  if (sameKind.length > 0) {
    const served = sameKind.flatMap((each) => each.versions.map((version) => apiVersionOf(each, version)));
    findings.add(
      formCodes.unknownVersion,
      'apiVersion',
      `${header.kind} is not served as ${header.apiVersion}; use ${served.join(' or ')}.`,
    );
    return null;
  }
  const hint = didYouMean(
    header.kind,
    kinds.map((each) => each.kind),
  );
  findings.add(formCodes.unknownKind, 'kind', `Weft has no kind ${header.kind} of ${header.apiVersion}.${hint}`);
  return null;
}

function checkIdentity(findings: Findings, info: KindInfo, header: Header, context: ParseContext): void {
  if (header.name === '')
    findings.add(formCodes.missingName, 'metadata.name', 'The resource has no name; set metadata.name.');
  if (!info.namespaced && header.namespace !== '') {
    findings.add(
      formCodes.namespaceIgnored,
      'metadata.namespace',
      `A ${info.kind} is in no namespace; ${header.namespace} has no effect.`,
    );
  }
  if (info.namespaced && header.namespace === '' && context.defaultNamespace === '') {
    findings.add(
      formCodes.missingField,
      'metadata.namespace',
      'The resource is in no namespace; set metadata.namespace.',
    );
  }
  checkGivenNamespace(findings, info, header, context.defaultNamespace);
}

/** One that comes from a path or an option instead of the resource has to be one all the same. */
function checkGivenNamespace(findings: Findings, info: KindInfo, header: Header, namespace: string): void {
  if (!info.namespaced || header.namespace !== '' || namespace === '') return;
  const [problem] = dnsLabelField.safeParse(namespace).error?.issues ?? [];
  if (problem === undefined) return;
  findings.add(
    formCodes.invalidValue,
    'metadata.namespace',
    `The namespace ${JSON.stringify(namespace)} ${problem.message}.`,
  );
}

function namespaceFor(info: KindInfo, header: Header, context: ParseContext): string {
  return info.namespaced ? header.namespace || context.defaultNamespace : '';
}

/** The object as it is kept: storage version, namespace filled in, stringData as data. */
function toStored(info: KindInfo, value: unknown, header: Header, context: ParseContext): AnyResource {
  const object = value as AnyResource;
  const { namespace: _, ...metadata } = object.metadata;
  const namespace = namespaceFor(info, header, context);
  const stored = {
    ...object,
    apiVersion: apiVersionOf(info),
    metadata: namespace === '' ? metadata : { ...metadata, namespace },
  } as AnyResource;
  return stored.kind === 'Secret' ? mergeStringData(stored) : stored;
}

function mergeStringData(secret: Secret): Secret {
  const { stringData, ...rest } = secret;
  if (stringData === undefined) return { ...rest, type: rest.type ?? 'Opaque' };
  const encoded = Object.entries(stringData).map(
    ([key, text]) => [key, Buffer.from(text, 'utf8').toString('base64')] as const,
  );
  return { ...rest, type: rest.type ?? 'Opaque', data: { ...rest.data, ...Object.fromEntries(encoded) } };
}

function validateKind<K extends KindName>(kind: K, object: AnyResource, findings: Findings): void {
  // The caller took the rule of the object's own kind.
  kindRules[kind].validate?.(object as ResourceKinds[K], findings);
}

/** A field that is null is as good as absent, as in Kubernetes; a null in a list is kept, and is an error. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(([, member]) => member !== null && member !== undefined);
  return Object.fromEntries(kept.map(([key, member]) => [key, withoutNulls(member)]));
}
