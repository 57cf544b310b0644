// Resources from the command line's files, folders and standard input, each with its positions, and every finding about them.
import { readdirSync, readFileSync, type Stats, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { formCodes } from '@weft/control-plane/resource/issue-code';
import type { ParsedResource } from '@weft/control-plane/resource/parse-resource';
import { brokenFile, parseFile, resourceKey } from '@weft/control-plane/source/file/load-file';
import { decodeText, maxFileBytes } from '@weft/control-plane/source/file/read-text';
import { notAFile } from '@weft/control-plane/source/file/scan-directory';
import { messageOf, WeftError } from '@weft/lib/error';
import type { Issue } from '@weft/lib/issue';

/** One resource and the text it was read from. */
export interface SourcedResource extends ParsedResource {
  /** The whole file. */
  readonly text: string;
}

/** What the files say. */
export interface LoadedResources {
  readonly resources: readonly SourcedResource[];
  readonly issues: readonly Issue[];
}

const fileEndings = /\.(ya?ml|json)$/;

/** Reads `paths` (`-` is standard input; a folder gives its YAML and JSON files, not those of folders inside it). */
export function loadResources(paths: readonly string[], workingFolder: string, namespace: string): LoadedResources {
  const resources: SourcedResource[] = [];
  const issues: Issue[] = [];
  for (const file of paths.flatMap((path) => filesAt(path, workingFolder))) {
    const shown = file === '-' ? '(standard input)' : file;
    const text = decodeText(readBytes(file, workingFolder));
    if (typeof text !== 'string') {
      issues.push(...brokenFile(shown, formCodes.notUtf8, text.problem, text.line).issues);
      continue;
    }
    const loaded = parseFile(text, shown, namespace);
    issues.push(...loaded.issues);
    for (const { resource } of loaded.documents) if (resource !== null) resources.push({ ...resource, text });
  }
  refuseRepeats(resources, issues);
  return { resources, issues };
}

function filesAt(path: string, workingFolder: string): string[] {
  if (path === '-') return [path];
  const full = resolve(workingFolder, path);
  let isFolder: boolean;
  try {
    isFolder = statSync(full).isDirectory();
  } catch (error) {
    const message = `${path} cannot be read: ${messageOf(error)}; give a YAML file, a folder, or - for standard input`;
    throw new WeftError('WEFT0819', message, { cause: error });
  }
  if (!isFolder) return [path];
  const files = readdirSync(full)
    .filter((name) => fileEndings.test(name) && !isFolderAt(join(path, name), workingFolder))
    .sort();
  if (files.length > 0) return files.map((name) => join(path, name));
  throw new WeftError('WEFT0819', `${path} holds no .yaml, .yml or .json file; folders inside it are not read`);
}

/** A file that is named is read whatever it is, as `<(…)` of a shell is a pipe; nobody meant a pipe that lies in a folder. */
function isFolderAt(file: string, workingFolder: string): boolean {
  const stats = statOf(file, workingFolder);
  const problem = stats.isDirectory() ? null : notAFile(stats);
  if (problem === null) return stats.isDirectory();
  throw new WeftError('WEFT0819', `${file} cannot be read: ${problem}; remove or rename it, or name the files to read`);
}

function statOf(file: string, workingFolder: string): Stats {
  try {
    return statSync(resolve(workingFolder, file));
  } catch (error) {
    throw new WeftError('WEFT0819', `${file} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

function readBytes(file: string, workingFolder: string): Buffer {
  let bytes: Buffer;
  try {
    bytes = file === '-' ? readFileSync(0) : readFileSync(resolve(workingFolder, file));
  } catch (error) {
    throw new WeftError('WEFT0819', `${file} cannot be read: ${messageOf(error)}`, { cause: error });
  }
  if (bytes.length <= maxFileBytes) return bytes;
  throw new WeftError('WEFT0819', `${file} is larger than ${maxFileBytes} bytes; split it`);
}

/** The same resource twice in one command: which one is meant cannot be known. */
function refuseRepeats(resources: readonly SourcedResource[], issues: Issue[]): void {
  const seen = new Map<string, SourcedResource>();
  for (const resource of resources) {
    const key = resourceKey(resource.info.id, resource.namespace, resource.name);
    const first = seen.get(key);
    if (first === undefined) seen.set(key, resource);
    else issues.push(repeatIssue(resource, first));
  }
}

function repeatIssue(resource: ParsedResource, first: ParsedResource): Issue {
  const { info, namespace, name, positions } = resource;
  const where = first.positions === null ? 'earlier' : `at ${first.positions.file}:${first.positions.line} too`;
  const place = positions === null ? {} : { file: positions.file, line: positions.line };
  return {
    code: 'WEFT0820',
    level: 'error',
    message: `this resource is given ${where}, so it is unclear which one is meant; give it once`,
    origin: { kind: info.kind, namespace, name, ...place },
  };
}
