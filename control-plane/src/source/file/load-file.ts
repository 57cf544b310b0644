// Reads one file of resources: text, documents, checked resources.

import { setImmediate } from 'node:timers/promises';
import { findKind, kinds } from '@weft/api/resource/kind';
import { codeOf, messageOf } from '@weft/lib/error';
import type { Issue } from '@weft/lib/issue';
import { Findings } from '../../resource/findings.ts';
import { formCodes, type IssueCode } from '../../resource/issue-code.ts';
import { type ParsedResource, parseResource } from '../../resource/parse-resource.ts';
import { PatternBudget } from '../../resource/regex.ts';
import { decodeText, maxFileBytes, readContent } from './read-text.ts';
import type { FoundFile } from './scan-directory.ts';
import { atOnce, documentSteps } from './yaml-document.ts';

/** One document of a file, in the order of the file. */
export interface LoadedDocument {
  /** Kind, namespace and name; null when the document does not even say those. */
  readonly key: string | null;
  /** Null when it has errors. */
  readonly resource: ParsedResource | null;
}

/** What a file says. `isWhole` is false when its text is broken, so that documents may be missing. */
export interface LoadedFile {
  readonly documents: readonly LoadedDocument[];
  readonly issues: readonly Issue[];
  readonly isWhole: boolean;
  /** Whether it could not even be read, which may pass without the file changing. */
  readonly isUnread?: boolean;
}

/** How long a file is read at a stretch. */
const sliceMs = 20;

/** How a file is read. */
export interface LoadOptions {
  /** The name that issues give it. */
  readonly shown: string;
  readonly defaultNamespace: string;
  /** Whether resources of it are in effect: then a file without any text is a mishap, as of a full disk. */
  readonly isInUse: boolean;
}

/** Reads and checks a file; null when it is gone. Never throws. */
export async function loadFile(found: FoundFile, options: LoadOptions): Promise<LoadedFile | null> {
  const { shown, defaultNamespace, isInUse } = options;
  if (found.problem !== null) return unreadFile(shown, found.problem);
  try {
    const content = await readContent(found.path);
    if ('problem' in content) return unreadFile(shown, content.problem);
    return await inSlices(parseBytes(content.bytes, shown, defaultNamespace, isInUse));
  } catch (thrown) {
    if (codeOf(thrown) === 'ENOENT') return null;
    return unreadFile(shown, messageOf(thrown));
  }
}

function unreadFile(shown: string, problem: string): LoadedFile {
  return { ...brokenFile(shown, formCodes.unreadableFile, `The file cannot be read: ${problem}.`), isUnread: true };
}

function* parseBytes(
  bytes: Buffer,
  shown: string,
  defaultNamespace: string,
  isInUse: boolean,
): Generator<void, LoadedFile> {
  if (bytes.length > maxFileBytes) {
    const message = `The file has more than ${maxFileBytes} bytes, which is the most that is read. Split it.`;
    return brokenFile(shown, formCodes.fileTooLarge, message);
  }
  const text = decodeText(bytes);
  if (typeof text !== 'string') return brokenFile(shown, formCodes.notUtf8, text.problem, text.line);
  if (isInUse && text.trim() === '') {
    const message = 'The file is empty. What it said before stays in effect; remove the file to end that.';
    return brokenFile(shown, formCodes.emptyFile, message);
  }
  return yield* parseSteps(text, shown, defaultNamespace);
}

/** Checks the text of a file; `shown` is the name that issues give it. */
export function parseFile(text: string, shown: string, defaultNamespace: string): LoadedFile {
  return atOnce(parseSteps(text, shown, defaultNamespace));
}

/** The same, document by document. */
function* parseSteps(text: string, shown: string, defaultNamespace: string): Generator<void, LoadedFile> {
  const content = yield* documentSteps(text, shown);
  const issues: Issue[] = [...content.issues];
  const patterns = new PatternBudget();
  const documents: LoadedDocument[] = [];
  for (const document of content.documents) {
    const result = parseResource(document.value, { positions: document.positions, defaultNamespace, patterns });
    for (const issue of result.issues) issues.push(issue);
    documents.push({ key: keyOf(document.value, defaultNamespace), resource: result.resource });
    yield;
  }
  return { documents, issues, isWhole: content.issues.length === 0 };
}

/** Lets proxies and clients be served between documents: thousands of them take seconds. */
async function inSlices<T>(steps: Generator<void, T>): Promise<T> {
  for (let dueMs = performance.now() + sliceMs; ; ) {
    const step = steps.next();
    if (step.done === true) return step.value;
    if (performance.now() < dueMs) continue;
    await setImmediate();
    dueMs = performance.now() + sliceMs;
  }
}

/** A file of which nothing can be used. */
export function brokenFile(shown: string, code: IssueCode, message: string, line?: number): LoadedFile {
  const place = line === undefined ? {} : { line };
  const findings = new Findings({ kind: 'File', namespace: '', name: shown, file: shown, ...place }, null);
  findings.add(code, '', message);
  return { documents: [], issues: findings.issues, isWhole: false };
}

function keyOf(value: unknown, defaultNamespace: string): string | null {
  if (typeof value !== 'object' || value === null || !('kind' in value) || !('metadata' in value)) return null;
  const { kind, metadata } = value;
  if (typeof metadata !== 'object' || metadata === null || !('name' in metadata)) return null;
  const apiVersion = 'apiVersion' in value ? String(value.apiVersion) : '';
  // In a version that is not served it is still the same resource.
  const info = findKind(apiVersion, String(kind)) ?? kinds.find((each) => each.kind === kind);
  const namespace = 'namespace' in metadata ? (metadata.namespace ?? defaultNamespace) : defaultNamespace;
  return resourceKey(
    info?.id ?? String(kind),
    info?.namespaced === false ? '' : String(namespace),
    String(metadata.name),
  );
}

/** Identity of a resource among files; `namespace` is empty for kinds without one. */
export function resourceKey(kind: string, namespace: string, name: string): string {
  return `${kind}/${namespace}/${name}`;
}
