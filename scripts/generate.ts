// Makes api/src/xds/generated: the field table that lib/protobuf reads, and the TypeScript declarations. Skips its work when no input changed.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { printDeclarations } from './generate/declarations.ts';
import { rootMessages } from './generate/roots.ts';
import { loadClosure, type ProtoFolder } from './generate/schema.ts';
import { printTable } from './generate/table.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const packageFolder = join(root, 'node_modules/@grpc/grpc-js-xds');
const output = join(root, 'api/src/xds/generated');
const protoPaths = [
  join(root, 'api/proto'),
  ...['envoy-api', 'xds', 'googleapis', 'protoc-gen-validate'].map((name) => join(packageFolder, 'deps', name)),
];

function protoFolders(): ProtoFolder[] {
  const folders = protoPaths.map((path) => ({
    path,
    files: readdirSync(path, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.proto'))
      .sort(),
  }));
  // For google/protobuf/descriptor.proto, which the annotations extend; nothing of it reaches the output.
  return [...folders, { path: join(root, 'node_modules/protobufjs'), files: [] }];
}

/** Of everything the output depends on: the proto files and the generator itself. */
function hashInputs(folders: readonly ProtoFolder[]): string {
  const hash = createHash('sha256');
  const generator = ['generate.ts', ...readdirSync(join(root, 'scripts/generate')).map((file) => `generate/${file}`)];
  for (const file of generator.sort()) hash.update(readFileSync(join(root, 'scripts', file)));
  for (const folder of folders) {
    for (const file of folder.files) hash.update(`${file}\0`).update(readFileSync(join(folder.path, file)));
  }
  return hash.digest('hex');
}

/** Written whole or not at all: another process may be reading the old one. */
function replace(name: string, text: string): void {
  const partial = join(output, `${name}.${process.pid}`);
  writeFileSync(partial, text);
  renameSync(partial, join(output, name));
}

function main(): void {
  const started = performance.now();
  const folders = protoFolders();
  const hash = hashInputs(folders);
  const hashFile = join(output, '.inputs');
  const isCurrent = ['table.js', 'table.d.ts', 'types.d.ts'].every((name) => existsSync(join(output, name)));
  if (isCurrent && existsSync(hashFile) && readFileSync(hashFile, 'utf8') === hash) {
    console.log('api/src/xds/generated is up to date');
    return;
  }
  const closure = loadClosure(folders, rootMessages);
  mkdirSync(output, { recursive: true });
  replace('table.js', printTable(closure));
  replace('table.d.ts', 'export declare const messages: string;\nexport declare const enums: string;\n');
  replace('types.d.ts', printDeclarations(closure));
  replace('.inputs', hash);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(
    `api/src/xds/generated: ${closure.messages.length} messages, ${closure.enums.length} enums, ${seconds} s`,
  );
}

main();
