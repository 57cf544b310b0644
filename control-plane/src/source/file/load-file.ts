// Reads one file of resources: text, documents, checked resources.

import type { Stats } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { codeOf, messageOf } from '@weft/lib/error';
import type { Issue } from '@weft/lib/issue';
import { Findings } from '../../resource/findings.ts';
import { formCodes, type IssueCode } from '../../resource/issue-code.ts';
import { type ParsedResource, parseResource } from '../../resource/parse-resource.ts';
import { maxFileBytes, readDocuments } from './yaml-document.ts';

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
}

/** Reads and checks a file; null when it is gone. Never throws. */
export async function loadFile(
  path: string,
  shown: string,
  stats: Stats,
  defaultNamespace: string,
): Promise<LoadedFile | null> {
  if (stats.size > maxFileBytes) {
    return brokenFile(
      shown,
      formCodes.fileTooLarge,
      `The file has ${stats.size} bytes; at most ${maxFileBytes} are read. Split it.`,
    );
  }
  try {
    return parseFile(await readFile(path, 'utf8'), shown, defaultNamespace);
  } catch (thrown) {
    if (codeOf(thrown) === 'ENOENT') return null;
    return brokenFile(shown, formCodes.unreadableFile, `The file cannot be read: ${messageOf(thrown)}.`);
  }
}

/** Checks the text of a file; `shown` is the name that issues give it. */
export function parseFile(text: string, shown: string, defaultNamespace: string): LoadedFile {
  const content = readDocuments(text, shown);
  const issues: Issue[] = [...content.issues];
  const documents = content.documents.map((document): LoadedDocument => {
    const result = parseResource(document.value, { positions: document.positions, defaultNamespace });
    issues.push(...result.issues);
    return { key: keyOf(document.value, defaultNamespace), resource: result.resource };
  });
  return { documents, issues, isWhole: content.issues.length === 0 };
}

/** A file of which nothing can be used. */
export function brokenFile(shown: string, code: IssueCode, message: string): LoadedFile {
  const findings = new Findings({ kind: 'File', namespace: '', name: shown, file: shown }, null);
  findings.add(code, '', message);
  return { documents: [], issues: findings.issues, isWhole: false };
}

function keyOf(value: unknown, defaultNamespace: string): string | null {
  if (typeof value !== 'object' || value === null || !('kind' in value) || !('metadata' in value)) return null;
  const { kind, metadata } = value;
  if (typeof metadata !== 'object' || metadata === null || !('name' in metadata)) return null;
  const namespace = 'namespace' in metadata ? metadata.namespace : defaultNamespace;
  return resourceKey(String(kind), String(namespace), String(metadata.name));
}

/** Identity of a resource among files; the namespace of kinds without one does not matter here. */
export function resourceKey(kind: string, namespace: string, name: string): string {
  return `${kind}/${namespace}/${name}`;
}
