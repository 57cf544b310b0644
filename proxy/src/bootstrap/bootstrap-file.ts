// A configuration file as text, its value, and the line of each field. YAML and JSON, both by one parser that keeps positions.
import { basename } from 'node:path';
import { FileTooLargeError, readConfigFile } from '@weft/lib/disk/config-file';
import { describeReadProblem } from '@weft/lib/disk/read-problem';
import { messageOf } from '@weft/lib/error';
import type { Issue, Origin } from '@weft/lib/issue';
import { splitPath } from '@weft/lib/protobuf/field-path';
import { isMap, isNode, isPair, isScalar, isSeq, LineCounter, type Node, parseAllDocuments } from 'yaml';

/** The parsed file; `value` is null when it could not be read, and then there are issues. */
export interface BootstrapFile {
  readonly value: unknown;
  readonly issues: readonly Issue[];
  /** The same issue with file and, where its path leads to a node, line and column. */
  locate(issue: Issue): Issue;
}

type Position = ReturnType<LineCounter['linePos']>;

// A file that is larger than this is no bootstrap; reading it would only exhaust memory.
const sizeLimitBytes = 64 * 1024 * 1024;

/** Reads and parses; never throws. */
export function readBootstrapFile(path: string, form = bootstrapForm): BootstrapFile {
  try {
    return parseBootstrapText(readConfigFile(path, sizeLimitBytes).toString('utf8'), path, form);
  } catch (thrown) {
    if (thrown instanceof FileTooLargeError)
      return unreadable(path, 'is larger than 64 MiB; split it, or fetch resources by xDS');
    return unreadable(path, `cannot be read: ${describeReadProblem(thrown)}; check the path and its permissions`);
  }
}

function originOf(path: string, position: Position | null): Origin {
  const origin = { kind: 'Bootstrap', namespace: '', name: basename(path), file: path };
  return position === null ? origin : { ...origin, line: position.line, column: position.col };
}

function unreadable(path: string, message: string): BootstrapFile {
  const issue: Issue = { code: 'WEFT0130', level: 'error', message, origin: originOf(path, null) };
  return { value: null, issues: [issue], locate: (other) => other };
}

const bootstrapForm = 'an Envoy v3 bootstrap, with node, admin and static_resources';

/** Parses text; `path` only names it, `form` says what should stand there. */
export function parseBootstrapText(text: string, path: string, form = bootstrapForm): BootstrapFile {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, stringKeys: true });
  const found: Issue[] = [];
  const report = (message: string, offset: number | undefined) => {
    const position = offset === undefined ? null : lines.linePos(offset);
    found.push({ code: 'WEFT0131', level: 'error', message, origin: originOf(path, position) });
  };
  const [document] = Array.isArray(documents) ? documents : [];
  if (document === undefined || document.contents === null) {
    report(`is empty; write ${form}`, undefined);
    return { value: null, issues: found, locate: (issue) => issue };
  }
  if (documents.length > 1)
    report('holds more than one document; keep one, without "---" between', documents[1]?.range[0]);
  for (const error of document.errors) report(`is not valid YAML: ${error.message}; correct the syntax`, error.pos[0]);
  const contents = isNode(document.contents) ? document.contents : null;
  const locate = (issue: Issue): Issue => ({
    ...issue,
    origin: originOf(path, positionOf(contents, issue.path ?? '', lines)),
  });
  if (found.length > 0) return { value: null, issues: found, locate };
  try {
    // The alias limit stops a small file from growing without bound.
    return { value: document.toJS({ maxAliasCount: 100 }), issues: found, locate };
  } catch (thrown) {
    report(`cannot be expanded: ${messageOf(thrown)}; write the values out`, undefined);
    return { value: null, issues: found, locate };
  }
}

/** Where the deepest node on the way of a path begins; either spelling of a field name leads on. */
function positionOf(contents: Node | null, path: string, lines: LineCounter): Position | null {
  let node: unknown = contents;
  let offset = contents?.range?.[0];
  for (const step of splitPath(path)) {
    const next = childOf(node, step);
    if (next === null) break;
    node = next.value;
    offset = next.offset ?? offset;
  }
  return offset === undefined ? null : lines.linePos(offset);
}

function childOf(node: unknown, step: string | number): { value: unknown; offset: number | undefined } | null {
  if (typeof step === 'number') {
    const item = isSeq(node) ? node.items[step] : undefined;
    return isNode(item) ? { value: item, offset: item.range?.[0] } : null;
  }
  if (!isMap(node)) return null;
  for (const pair of node.items) {
    if (!isPair(pair) || !isScalar(pair.key)) continue;
    const key = String(pair.key.value);
    if (key === step || camelCase(key) === camelCase(step)) return { value: pair.value, offset: pair.key.range?.[0] };
  }
  return null;
}

function camelCase(name: string): string {
  return name.replace(/_+([a-zA-Z0-9])/g, (_match, letter: string) => letter.toUpperCase());
}
