// What of a file is in effect: what it says now, and the last good version of what it says no longer because it is broken.

import type { Issue } from '@weft/lib/issue';
import { Findings } from '../../resource/findings.ts';
import { formCodes } from '../../resource/issue-code.ts';
import type { ParsedResource } from '../../resource/parse-resource.ts';
import type { LoadedFile } from './load-file.ts';

/** Resources by their key, in the order of the file. */
export type Resources = ReadonlyMap<string, ParsedResource>;

/** The resources of a file, with the last good version of each that is broken now. */
export function lastGood(loaded: LoadedFile, before: Resources): Resources {
  if (!loaded.isWhole) return before;
  const good = new Map<string, ParsedResource>();
  for (const { key, resource } of loaded.documents) {
    const kept = resource ?? (key === null ? undefined : before.get(key));
    if (key !== null && kept !== undefined && !good.has(key)) good.set(key, kept);
  }
  for (const [key, resource] of undeclared(loaded, before)) good.set(key, resource);
  return good;
}

/** Says which resources stay though the file declares them no longer. */
export function keptIssues(loaded: LoadedFile, before: Resources, file: string): readonly Issue[] {
  return undeclared(loaded, before).flatMap(([, { info, namespace, name }]) => {
    const findings = new Findings({ kind: info.kind, namespace, name, file }, null);
    const why = 'This is no longer declared here, or by a document that has errors';
    findings.add(formCodes.keptUndeclared, '', `${why}. It stays in effect until the errors of the file are mended.`);
    return findings.issues;
  });
}

/** A broken document that is none of those known may be any of them, with a slip in its kind or name. */
function undeclared(loaded: LoadedFile, before: Resources): readonly (readonly [string, ParsedResource])[] {
  const isStrange = ({ key, resource }: LoadedFile['documents'][number]) =>
    resource === null && (key === null || !before.has(key));
  if (!loaded.isWhole || !loaded.documents.some(isStrange)) return [];
  const declared = new Set(loaded.documents.map(({ key }) => key));
  return [...before].filter(([key]) => !declared.has(key));
}
