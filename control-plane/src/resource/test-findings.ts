// Findings of YAML texts in a short form, for the tests of this folder.

import type { Issue } from '@weft/lib/issue';
import { readDocuments } from '../source/file/yaml-document.ts';
import { overlayWorld } from '../store/overlay-world.ts';
import { type StoredResource, type World, worldOf } from '../store/world.ts';
import { checkWorld } from './check-world.ts';
import type { CheckContext } from './mesh-index.ts';
import { parseResource } from './parse-resource.ts';

/** `WEFT0437 spec.http[0].route` of each issue, in order. */
export function shortForm(issues: readonly Issue[]): string[] {
  return issues.map((issue) => `${issue.code} ${issue.path ?? ''}`.trim());
}

/** Findings of the documents of a text, each seen alone. */
export function findingsOf(text: string): readonly Issue[] {
  const { documents, issues } = readDocuments(text, 'test.yaml');
  return [
    ...issues,
    ...documents.flatMap(
      ({ value, positions }) => parseResource(value, { positions, defaultNamespace: 'default' }).issues,
    ),
  ];
}

/** Findings of an `apiVersion: networking.istio.io/v1` resource whose spec is given. */
export function specFindings(kind: string, spec: string, group = 'networking.istio.io/v1'): string[] {
  const indented = spec.trimEnd().replace(/^/gm, '  ');
  return shortForm(findingsOf(`apiVersion: ${group}\nkind: ${kind}\nmetadata: {name: a}\nspec:\n${indented}\n`));
}

/** The world of the documents of a text; `age` in the text's order, the first being the oldest. */
export function worldOfText(text: string): World {
  const { documents } = readDocuments(text, 'test.yaml');
  const resources = documents.map(({ value, positions }, index) => {
    const { resource, issues } = parseResource(value, { positions, defaultNamespace: 'default' });
    if (resource === null) throw new Error(shortForm(issues).join(', '));
    const { info, namespace, name, object } = resource;
    const creationTimestamp = `2026-01-01T00:00:${String(index).padStart(2, '0')}Z`;
    const stored = { ...object, metadata: { ...object.metadata, creationTimestamp } } as StoredResource['object'];
    const origin = { kind: info.kind, namespace, name, file: positions.file, line: positions.line };
    return { kind: info.id, resource: { object: stored, origin, layer: 'file', positions } as StoredResource };
  });
  return overlayWorld(worldOf([]), resources);
}

/** Findings about how the documents of a text fit together. */
export function checkText(text: string, context: Partial<CheckContext> = {}): readonly Issue[] {
  return checkWorld(worldOfText(text), {
    rootNamespaces: ['istio-system'],
    mutualTls: 'PERMISSIVE',
    proxies: [],
    nowMs: Date.UTC(2026, 0, 1),
    ...context,
  });
}
