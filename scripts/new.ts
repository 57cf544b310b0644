// `npm run new -- http-filter NAME`: a new folder from a living template, and what is left to do.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { copyTemplate, rename, templateKinds } from './new/copy-template.ts';
import { repositoryRoot } from './source/tree.ts';

const [kindName = '', name = ''] = process.argv.slice(2);
const kind = Object.hasOwn(templateKinds, kindName) ? templateKinds[kindName] : undefined;

function fail(message: string): never {
  console.error(message);
  process.exit(2);
}

if (kind === undefined)
  fail(`usage: npm run new -- KIND NAME, where KIND is ${Object.keys(templateKinds).join(' or ')}`);
if (!/^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/.test(name))
  fail(`'${name}' is no name; write it in kebab case, such as rate-limit`);
const folder = join(repositoryRoot, kind.target, name);
if (existsSync(folder)) fail(`${kind.target}/${name} exists; choose another name`);

mkdirSync(folder);
for (const [file, text] of copyTemplate(repositoryRoot, kind, name)) {
  writeFileSync(join(folder, file), text);
  console.log(`wrote ${kind.target}/${name}/${file}`);
}
spawnSync(join(repositoryRoot, 'node_modules/.bin/biome'), ['check', '--write', folder], { cwd: repositoryRoot });
console.log('\nNext:');
for (const step of kind.next) console.log(`  - ${rename(step, name)}`);
console.log('  - npm run check');
