// Reads .proto files with protobufjs, as a parser only, and gives the closure of messages and enums that the roots need.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import protobuf from 'protobufjs';

export interface Closure {
  readonly messages: readonly protobuf.Type[];
  readonly enums: readonly protobuf.Enum[];
}

/** A folder that imports are looked up in, and the .proto files below it. */
export interface ProtoFolder {
  readonly path: string;
  readonly files: readonly string[];
}

/** Full name without the leading dot. */
export function fullNameOf(type: protobuf.ReflectionObject): string {
  return type.fullName.replace(/^\./, '');
}

/** Loads the files that declare the roots, and follows fields from there. Names are sorted, so that the output is stable. */
export function loadClosure(folders: readonly ProtoFolder[], roots: readonly string[]): Closure {
  const declared = indexDeclarations(folders);
  const names = roots.flatMap((root) => expandRoot(root, declared));
  const schema = new protobuf.Root();
  schema.resolvePath = (_origin, target) => locate(folders, target);
  const files = new Set(names.map((name) => declared.get(name)).filter((file) => file !== undefined));
  // `keepCase`: the original names are needed for proto3 JSON as Envoy prints it.
  schema.loadSync([...files].sort(), { keepCase: true });
  return walk(names.map((name) => schema.lookupType(name)));
}

// protobufjs carries the google.protobuf files; it knows them by name without looking for a file.
const builtIn: Readonly<Record<string, readonly string[]>> = {
  'google/protobuf/any.proto': ['Any'],
  'google/protobuf/duration.proto': ['Duration'],
  'google/protobuf/empty.proto': ['Empty'],
  'google/protobuf/field_mask.proto': ['FieldMask'],
  'google/protobuf/struct.proto': ['Struct', 'Value', 'ListValue'],
  'google/protobuf/timestamp.proto': ['Timestamp'],
  'google/protobuf/wrappers.proto': [
    ...['DoubleValue', 'FloatValue', 'Int64Value', 'UInt64Value', 'Int32Value'],
    ...['UInt32Value', 'BoolValue', 'StringValue', 'BytesValue'],
  ],
};

function locate(folders: readonly ProtoFolder[], target: string): string | null {
  if (builtIn[target] !== undefined || target.startsWith('/')) return target;
  for (const folder of folders) {
    const file = join(folder.path, target);
    if (existsSync(file)) return file;
  }
  // Only options come from these, and nothing in the closure refers to them: `walk` fails if that ever changes.
  return null;
}

/** Top-level message name → file, by a scan that is much cheaper than parsing every file. */
function indexDeclarations(folders: readonly ProtoFolder[]): Map<string, string> {
  const declared = new Map<string, string>();
  for (const [file, names] of Object.entries(builtIn)) {
    for (const name of names) declared.set(`google.protobuf.${name}`, file);
  }
  for (const folder of folders) {
    for (const file of folder.files) {
      const text = readFileSync(join(folder.path, file), 'utf8');
      const packageName = /^package\s+([\w.]+)\s*;/m.exec(text)?.[1];
      if (packageName === undefined) continue;
      for (const match of text.matchAll(/^message\s+(\w+)/gm)) declared.set(`${packageName}.${match[1]}`, file);
    }
  }
  return declared;
}

function expandRoot(root: string, declared: ReadonlyMap<string, string>): string[] {
  const found = root.endsWith('.*')
    ? [...declared.keys()].filter((name) => name.slice(0, name.lastIndexOf('.')) === root.slice(0, -2))
    : [...declared.keys()].filter((name) => name === root);
  if (found.length === 0) throw new Error(`no .proto file declares ${root}; correct scripts/generate/roots.ts`);
  return found;
}

function walk(roots: readonly protobuf.Type[]): Closure {
  const seen = new Map<string, protobuf.Type | protobuf.Enum>();
  const queue: protobuf.ReflectionObject[] = [...roots];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    const name = fullNameOf(next);
    if (seen.has(name)) continue;
    if (next instanceof protobuf.Enum) seen.set(name, next);
    if (!(next instanceof protobuf.Type)) continue;
    seen.set(name, next);
    for (const field of next.fieldsArray) {
      field.resolve();
      if (field.resolvedType !== null) queue.push(field.resolvedType);
    }
  }
  const sorted = [...seen].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, type]) => type);
  return {
    messages: sorted.filter((type) => type instanceof protobuf.Type),
    enums: sorted.filter((type) => type instanceof protobuf.Enum),
  };
}
