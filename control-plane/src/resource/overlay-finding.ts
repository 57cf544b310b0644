// Says that a write of the mesh API lies over what a file declares, as edits of that file do nothing then.

import { type KindName, kindInfo } from '@weft/api/resource/kind';
import type { Issue } from '@weft/lib/issue';
import type { StoredResource } from '../store/world.ts';
import { Findings } from './findings.ts';
import { referenceCodes } from './issue-code.ts';

/** A resource of a file and the write that is in effect instead. */
export interface Overlay {
  readonly kind: KindName;
  readonly file: StoredResource;
  readonly api: StoredResource;
}

/** The finding about an overlay, at the place in the file. */
export function overlayIssues({ kind, file, api }: Overlay): readonly Issue[] {
  const { singular, namespaced } = kindInfo(kind);
  const { name, namespace } = file.origin;
  const findings = new Findings(file.origin, null);
  const from = api.origin.file === undefined ? '' : ` (from ${api.origin.file}:${api.origin.line})`;
  const change = versionOf(file) > versionOf(api) ? 'A change of this declaration' : 'This declaration';
  const command = `weft delete ${singular} ${name}${namespaced ? ` -n ${namespace}` : ''}`;
  const message = `${change} has no effect: what was written to the mesh API${from} lies over it. To go back to the file: ${command}`;
  findings.add(referenceCodes.overlaidFile, '', message);
  return findings.issues;
}

function versionOf({ object }: StoredResource): number {
  return Number(object.metadata.resourceVersion ?? 0);
}
