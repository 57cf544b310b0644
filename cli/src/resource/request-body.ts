// What is sent to the mesh API for a resource: its own text where that stands alone, so that the API knows the line of every field.
import { resolve } from 'node:path';
import { readDocuments } from '@weft/control-plane/source/file/yaml-document';
import type { SourcedResource } from './load.ts';

/** A request's body with its headers, and the version in whose path it belongs. */
export interface RequestBody {
  readonly body: unknown;
  readonly contentType: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly version: string;
}

/** Text of the document, or JSON of the parsed object for an item of a list. */
export function requestBody(resource: SourcedResource, workingFolder: string): RequestBody {
  const { positions, object } = resource;
  if (positions === null)
    return { body: object, contentType: 'application/json', headers: {}, version: versionOf(object.apiVersion) };
  const own = documentAt(resource.text, positions.line);
  const written = own === null ? null : onlyDocument(own.text, resource);
  // Standard input has no path; any other is told in full, as the control plane runs in another folder.
  const file = positions.file.startsWith('(') ? positions.file : resolve(workingFolder, positions.file);
  const line = own === null || written === null ? positions.line : own.line;
  const headers = { 'x-weft-source': `${encodeURIComponent(file)}:${line}` };
  if (own === null || written === null) {
    return { body: object, contentType: 'application/json', headers, version: versionOf(object.apiVersion) };
  }
  return { body: own.text, contentType: 'application/yaml', headers, version: versionOf(written) };
}

function versionOf(apiVersion: string): string {
  return apiVersion.slice(apiVersion.indexOf('/') + 1);
}

/** A line that begins with three dashes or dots is a document marker wherever it stands in YAML. */
const marker = /^(?:---|\.\.\.)(?:\s|$)/;

/** The document that holds a line, without its markers. */
function documentAt(text: string, line: number): { readonly text: string; readonly line: number } | null {
  const lines = text.split('\n');
  let start = line - 1;
  if (start >= lines.length) return null;
  while (start > 0 && !marker.test(lines[start - 1] ?? '')) start--;
  let end = line;
  while (end < lines.length && !marker.test(lines[end] ?? '')) end++;
  const first = lines[start] ?? '';
  // `--- {a: 1}` or `--- # words` on the marker's own line.
  if (marker.test(first)) lines[start] = first.slice(3);
  return { text: lines.slice(start, end).join('\n'), line: start + 1 };
}

/** The apiVersion that the text says, when it is this resource and nothing else. */
function onlyDocument(text: string, resource: SourcedResource): string | null {
  const { documents, issues } = readDocuments(text, '');
  const [document, ...others] = documents;
  if (issues.length > 0 || document === undefined || others.length > 0) return null;
  const value = document.value as { apiVersion?: unknown; kind?: unknown; metadata?: { name?: unknown } } | null;
  const isSame = value?.kind === resource.info.kind && value.metadata?.name === resource.name;
  return isSame && typeof value.apiVersion === 'string' ? value.apiVersion : null;
}
