// One request to the mesh API, and its body: bounded, JSON or YAML, with positions when the client says where it comes from.

import { isUtf8 } from 'node:buffer';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { messageOf } from '@weft/lib/error';
import { readDocuments } from '../source/file/yaml-document.ts';
import type { Positions } from '../store/world.ts';
import { kubernetesProtobuf, parseKubernetesBody } from './protobuf/kubernetes-body.ts';
import { failure, type Reply } from './reply.ts';

/** A request that has passed the guard. */
export interface ApiRequest {
  readonly method: string;
  /** Decoded, without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** Parts of the path that the route names. */
  readonly params: Readonly<Record<string, string>>;
  /** Fires when the client goes away. */
  readonly onClose: (callback: () => void) => void;
  readonly readBody: () => Promise<BodyResult>;
}

/** A parsed body, or the reply that refuses it. */
export type BodyResult =
  | {
      readonly value: unknown;
      readonly mediaType: string;
      readonly positions: Positions | null;
      readonly refusal: null;
    }
  | { readonly refusal: Reply };

/** Where a body comes from, such as `mesh/reviews.yaml:12`: a percent-encoded path and the line of its first line. */
export const sourceHeader = 'x-weft-source';

const jsonTypes = [
  'application/json',
  'application/merge-patch+json',
  'application/json-patch+json',
  'application/strategic-merge-patch+json',
];
const yamlTypes = ['application/yaml', 'application/apply-patch+yaml', 'text/yaml', 'application/x-yaml'];

/** Reads and parses a body of at most `limitBytes`. */
export async function readBody(message: IncomingMessage, limitBytes: number): Promise<BodyResult> {
  const bytes = await readBytes(message, limitBytes);
  if (bytes === null)
    return { refusal: failure('RequestEntityTooLarge', `The body is larger than ${limitBytes} bytes.`) };
  const mediaType = (message.headers['content-type'] ?? 'application/json').split(';')[0]?.trim().toLowerCase() ?? '';
  const source = parseSource(message.headers[sourceHeader]);
  if (mediaType === kubernetesProtobuf && bytes.length > 0) return parseProtobuf(bytes, mediaType);
  if (!isUtf8(bytes)) return { refusal: failure('BadRequest', 'The body is not UTF-8; send it as UTF-8.') };
  const text = bytes.toString('utf8');
  if (text.trim() === '') return { value: undefined, mediaType, positions: null, refusal: null };
  if (jsonTypes.includes(mediaType)) return parseJson(text, mediaType, source);
  if (yamlTypes.includes(mediaType)) return parseYaml(text, mediaType, source);
  return {
    refusal: failure(
      'UnsupportedMediaType',
      `The body has type ${mediaType}; use application/json or application/yaml.`,
    ),
  };
}

async function readBytes(message: IncomingMessage, limitBytes: number): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let size = 0;
  // Not destroyed on the way out, as the refusal still has to be sent over the same socket.
  for await (const chunk of message.iterator({ destroyOnReturn: false })) {
    const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
    size += bytes.length;
    if (size > limitBytes) return null;
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}

function parseProtobuf(bytes: Buffer, mediaType: string): BodyResult {
  const body = parseKubernetesBody(bytes);
  if ('value' in body) return { value: body.value, mediaType, positions: null, refusal: null };
  return { refusal: failure('UnsupportedMediaType', `The body cannot be read as ${mediaType}: ${body.problem}.`) };
}

interface Source {
  readonly file: string;
  readonly line: number;
}

function parseSource(header: string | string[] | undefined): Source | null {
  const match = typeof header === 'string' ? /^(.{1,4096}):(\d{1,9})$/.exec(header) : null;
  if (match === null) return null;
  try {
    return { file: decodeURIComponent(match[1] ?? ''), line: Math.max(1, Number(match[2])) };
  } catch {
    return null;
  }
}

function parseJson(text: string, mediaType: string, source: Source | null): BodyResult {
  try {
    const positions = source === null ? null : { ...source, fields: {} };
    return { value: JSON.parse(text), mediaType, positions, refusal: null };
  } catch (thrown) {
    return { refusal: failure('BadRequest', `The body is no JSON: ${messageOf(thrown)}.`) };
  }
}

/** The lines of fields are those of the body, moved to where the body stands in its file. */
function parseYaml(text: string, mediaType: string, source: Source | null): BodyResult {
  const { documents, issues } = readDocuments(text, source?.file ?? 'body');
  const problem = issues[0];
  if (problem !== undefined) {
    const line = (problem.origin?.line ?? 1) + (source?.line ?? 1) - 1;
    return { refusal: failure('BadRequest', `The body is no YAML: line ${line}: ${problem.message}`, {}, issues) };
  }
  const [document] = documents;
  if (document === undefined || documents.length > 1) {
    return { refusal: failure('BadRequest', `The body has ${documents.length} documents; send one at a time.`) };
  }
  return {
    value: document.value,
    mediaType,
    positions: source === null ? null : movePositions(document.positions, source),
    refusal: null,
  };
}

function movePositions(positions: Positions, source: Source): Positions {
  const offset = source.line - 1;
  const fields = Object.entries(positions.fields).map(([path, line]) => [path, line + offset] as const);
  return { file: source.file, line: positions.line + offset, fields: Object.fromEntries(fields) };
}
