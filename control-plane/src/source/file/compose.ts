// What all files of a directory say together: one resource per kind, namespace and name, however many files declare it.

import type { Issue } from '@weft/lib/issue';
import { Findings } from '../../resource/findings.ts';
import { formCodes } from '../../resource/issue-code.ts';
import type { ParsedResource } from '../../resource/parse-resource.ts';
import { type LoadedFile, resourceKey } from './load-file.ts';

/** One file, with the last good version of each of its resources. */
export interface ReadFile {
  readonly loaded: LoadedFile;
  readonly good: ReadonlyMap<string, ParsedResource>;
}

/** The file whose declaration of a resource has been in use so far, by the resource's key; null when there is none. */
export type Owner = (key: string) => string | null;

/** Of rivals the one in use stays, whatever its file is called; else the first in order of files counts. */
export function composeFiles(
  files: Iterable<ReadFile>,
  owner: Owner,
): { readonly resources: ReadonlyMap<string, ParsedResource>; readonly issues: readonly Issue[] } {
  const all = [...files];
  const taken = new Map<string, ParsedResource>();
  for (const { good } of all) {
    for (const resource of good.values()) take(taken, resource, owner);
  }
  const issues: Issue[] = [];
  for (const { loaded, good } of all) {
    for (const issue of loaded.issues) issues.push(issue);
    for (const resource of good.values()) addRival(issues, resource, taken.get(keyOf(resource)));
    addRepeats(issues, loaded);
  }
  return { resources: taken, issues };
}

function take(taken: Map<string, ParsedResource>, resource: ParsedResource, owner: Owner): void {
  const key = keyOf(resource);
  const file = resource.positions?.file;
  if (!taken.has(key) || (file !== undefined && file === owner(key))) taken.set(key, resource);
}

function keyOf({ info, namespace, name }: ParsedResource): string {
  return resourceKey(info.id, namespace, name);
}

function addRival(issues: Issue[], resource: ParsedResource, used: ParsedResource | undefined): void {
  if (used !== undefined && used !== resource) addDuplicate(issues, resource, used);
}

/** Documents of one file that declare the same resource. */
function addRepeats(issues: Issue[], loaded: LoadedFile): void {
  const seen = new Map<string, ParsedResource>();
  for (const { key, resource } of loaded.documents) {
    if (key === null || resource === null) continue;
    const first = seen.get(key);
    if (first === undefined) seen.set(key, resource);
    else addDuplicate(issues, resource, first);
  }
}

function addDuplicate(issues: Issue[], resource: ParsedResource, first: ParsedResource): void {
  const { info, namespace, name, positions } = resource;
  const findings = new Findings({ kind: info.kind, namespace, name }, positions);
  const place = first.positions === null ? 'elsewhere' : `in ${first.positions.file}:${first.positions.line}`;
  const message = `${info.kind} ${name} is declared ${place} already, which is used; remove one of the two.`;
  findings.add(formCodes.duplicateResource, '', message);
  issues.push(...findings.issues);
}
