// Turns a living template, which is ordinary code with tests of its own, into the files of a new folder.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What `npm run new` can make. */
export interface TemplateKind {
  /** Where the template lies and where its copies go, relative to the repository. */
  readonly template: string;
  readonly target: string;
  /** What is left to do by hand, one line each; NAME and Name are replaced. */
  readonly next: readonly string[];
}

export const templateKinds: Readonly<Record<string, TemplateKind>> = {
  'http-filter': {
    template: 'scripts/new/http-filter',
    target: 'proxy/src/http-filter',
    next: [
      'describe its configuration: a message in api/proto/, then npm run generate',
      'add { type: sampleType, compile: compileSample } to proxy/src/http-filter/filters.ts',
      'say in proxy/src/bootstrap/support/ which fields are carried out',
      'give its issues codes of their own in place of WEFT0000',
      'say in scripts/docs/metric-help.ts what its metrics mean, then node scripts/docs.ts',
    ],
  },
};

/** `rate-limit` gives `RateLimit`. */
export function pascalCase(name: string): string {
  return name.replace(/(?:^|-)([a-z0-9])/g, (_match, letter: string) => letter.toUpperCase());
}

/** Puts the new name in place of the template's. */
export function rename(text: string, name: string): string {
  const pascal = pascalCase(name);
  const camel = pascal.charAt(0).toLowerCase() + pascal.slice(1);
  return text
    .replaceAll('sampleType', `${camel}Type`)
    .replace(/Sample(?=[A-Z;(), ]|$)/gm, pascal)
    .replaceAll("'sample.", `'${name.replaceAll('-', '_')}.`)
    .replace(/\bsample\b/g, name);
}

/** File name to text of a new folder. */
export function copyTemplate(root: string, kind: TemplateKind, name: string): Map<string, string> {
  const files: Map<string, string> = new Map();
  for (const file of readdirSync(join(root, kind.template)).sort()) {
    const text = readFileSync(join(root, kind.template, file), 'utf8');
    files.set(file, rename(moveImports(text, kind.target), name));
  }
  return files;
}

// A template three folders deep names the proxy's files from the repository's root; its copy names them from their own folder.
function moveImports(text: string, target: string): string {
  const [workspace = ''] = target.split('/');
  return text.replaceAll(`'../../../${target}/`, "'../").replaceAll(`'../../../${workspace}/src/`, "'../../");
}
