// `npm run bench -- NAME [options]`: runs bench/NAME/run.ts, or lists the benches with their first line.

import { existsSync, readdirSync, readFileSync } from 'node:fs';

const folder = new URL('./', import.meta.url);

function list(): string {
  const names = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(new URL(`${entry.name}/run.ts`, folder)))
    .map((entry) => entry.name)
    .sort();
  return names.map((name) => `  ${name.padEnd(16)}${firstLine(name)}`).join('\n');
}

function firstLine(name: string): string {
  const [line = ''] = readFileSync(new URL(`${name}/run.ts`, folder), 'utf8').split('\n');
  return line.replace(/^\/\/ /, '');
}

const [name = '', ...rest] = process.argv.slice(2);
const file = new URL(`${name}/run.ts`, folder);
if (!/^[a-z0-9-]+$/.test(name) || !existsSync(file)) {
  console.error(`usage: npm run bench -- NAME [options]\n\n${list()}`);
  process.exit(name === '' ? 0 : 2);
}
process.argv = [process.argv[0] as string, file.pathname, ...rest];
await import(file.href);
