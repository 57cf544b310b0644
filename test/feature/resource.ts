// Resources for tests, from YAML text.

import assert from 'node:assert/strict';
import { type AnyResource, findKind } from '@weft/api/resource/kind';
import { parseAllDocuments } from 'yaml';

/** Resources of a YAML text, checked against their schemas; the namespace is `default` unless said otherwise. */
export function resources(yaml: string): AnyResource[] {
  return parseAllDocuments(yaml)
    .map((document) => document.toJS() as { apiVersion: string; kind: string } | null)
    .filter((json) => json !== null)
    .map((json) => {
      const info = findKind(json.apiVersion, json.kind);
      assert.ok(info !== null, `no kind ${json.apiVersion} ${json.kind}`);
      const resource = info.schema.parse(json) as AnyResource;
      resource.metadata.namespace ??= 'default';
      return resource;
    });
}
