// `npm run shape`: sizes and habits of the source, folder by folder or for the paths given, with the largest of each kind.

import type { SourceFile } from './source/source-file.ts';
import { isTest, readSources } from './source/tree.ts';

const wanted = process.argv.slice(2);
const all = readSources();
const tests = all.filter((source) => isTest(source.path) && isWanted(source.path));
const files = all.filter((source) => !isTest(source.path) && isWanted(source.path));

if (files.length === 0) {
  console.error(`no source matches ${wanted.join(' ') || 'here'}; give paths such as proxy/src/stream`);
  process.exit(2);
}
print(files, tests);

function isWanted(path: string): boolean {
  return wanted.length === 0 || wanted.some((prefix) => path.startsWith(prefix.replace(/\/$/, '')));
}

function print(list: readonly SourceFile[], testList: readonly SourceFile[]): void {
  const functions = list.flatMap((source) =>
    source.functions.map((shape) => ({ ...shape, place: `${source.path}:${shape.line} ${shape.name}` })),
  );
  const lines = sum(list, (source) => source.lines);
  const written = lines - sum(list, (source) => source.blankLines);
  const thousands = written / 1000;
  const per = (pattern: RegExp) =>
    (sum(list, (source) => source.code.match(pattern)?.length ?? 0) / thousands).toFixed(2);
  const folders = countBy(list.map((source) => source.path.replace(/\/[^/]*$/, '')));

  row('files', `${list.length}, ${lines} lines; ${spread(list.map((source) => source.lines))}`);
  row(
    'functions',
    `${functions.length}; lines ${spread(functions.map((shape) => shape.lines))}; parameters ${spread(functions.map((shape) => shape.parameters))}`,
  );
  row('folders', `${folders.length}; files ${spread(folders.map(([, count]) => count))}`);
  row('comments', `${((100 * sum(list, (source) => source.commentLines)) / written).toFixed(1)} % of lines`);
  row(
    'tests',
    `${testList.length} files, ${(sum(testList, (source) => source.lines) / lines).toFixed(2)} lines per line of source`,
  );
  row(
    'per 1,000 lines',
    `any ${per(/[:<|]\s*any\b/g)}, as ${per(/\bas (?!const\b)[A-Za-z{(]/g)}, ! ${per(/[\w)\]]!(?=[.;,)\]])/g)}, async ${per(/\basync\b/g)}, throw ${per(/\bthrow\b/g)}, assert ${per(/\bassert\(/g)}`,
  );
  row('documented', documentedShare(list));
  largest(
    'longest files',
    list.map((source) => [source.lines, source.path]),
  );
  largest(
    'longest functions',
    functions.map((shape) => [shape.lines, shape.place]),
  );
  largest(
    'fullest folders',
    folders.map(([folder, count]) => [count, folder]),
  );
}

function row(name: string, text: string): void {
  console.log(`${name.padEnd(16)} ${text}`);
}

function largest(name: string, list: readonly (readonly [number, string])[]): void {
  console.log(`\n${name}`);
  for (const [size, place] of [...list].sort((a, b) => b[0] - a[0]).slice(0, 8))
    console.log(`${String(size).padStart(6)}  ${place}`);
}

function documentedShare(list: readonly SourceFile[]): string {
  let exported = 0;
  let documented = 0;
  for (const { text } of list) {
    for (const match of text.matchAll(
      /(\*\/\n)?^export (?:async |abstract )?(?:function|class|interface|type|const)\b/gm,
    )) {
      exported++;
      if (match[1] !== undefined) documented++;
    }
  }
  return `${exported === 0 ? 0 : Math.round((100 * documented) / exported)} % of ${exported} exports`;
}

function sum(list: readonly SourceFile[], of: (source: SourceFile) => number): number {
  return list.reduce((total, source) => total + of(source), 0);
}

function countBy(keys: readonly string[]): [string, number][] {
  const counts: Map<string, number> = new Map();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return [...counts];
}

function spread(numbers: readonly number[]): string {
  const sorted = [...numbers].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  return `median ${at(0.5)}, p90 ${at(0.9)}, p99 ${at(0.99)}, max ${at(1)}`;
}
