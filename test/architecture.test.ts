// Holds the shape of the repository: who may import whom, sizes and names, what the hot path leaves out, documents that are true.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import type { SourceFile } from '../scripts/source/source-file.ts';
import { isTest, listFiles, listFolders, readSources, repositoryRoot } from '../scripts/source/tree.ts';
import { findCycles, importEdges } from './architecture/import-graph.ts';
import { judgeImport } from './architecture/import-law.ts';
import {
  emptyNames,
  fileLineLimit,
  folderExceptions,
  folderFileLimit,
  functionExceptions,
  functionLineLimit,
  hotExceptions,
  hotFolders,
  hotWords,
  importExceptions,
  nameExceptions,
  parameterLimit,
  pureExceptions,
  testLineLimit,
  workspaces,
} from './architecture/law.ts';

const sources = readSources();
const shipped = sources.filter((source) => !isTest(source.path));
const edges = importEdges(sources);

/** Fails with every finding, one per line. */
function none(findings: readonly string[]): void {
  assert.equal(findings.length, 0, `\n${findings.join('\n')}\n`);
}

describe('imports', () => {
  it('follow the law of the folders', () => {
    const judged = edges.filter((edge) => !isTest(edge.from));
    none(judged.flatMap((edge) => finding(`${edge.from}:${edge.line} imports ${edge.to}`, judgeImport(edge))));
  });

  it('form no circle', () => {
    none(findCycles(edges).map((cycle) => cycle.join(' → ')));
  });

  it('name files that exist, with their ending', () => {
    const missing = edges.filter(({ to }) => !to.includes('/generated/') && !existsSync(join(repositoryRoot, to)));
    none(missing.map((edge) => `${edge.from}:${edge.line} imports ${edge.to}`));
  });

  it('keep I/O and time out of translate/', () => {
    const pure = shipped.filter((source) => source.path.startsWith('control-plane/src/translate/'));
    const impure = /^node:|^@weft\/lib\/(?:clock|log|line-writer)$/;
    none(
      pure.flatMap((source) => [
        ...source.imports
          .filter((used) => !used.isTypeOnly && impure.test(used.specifier))
          .filter((used) => !(`${source.path} → ${used.specifier}` in pureExceptions))
          .map((used) => `${source.path}:${used.line} imports ${used.specifier}`),
        ...wordsIn(source, { impurity: /\bDate\.now\b|\bperformance\b|\bMath\.random\b|\bprocess\.|\bnew Date\(\)/ }),
      ]),
    );
  });

  it('have no exception that nothing uses any more', () => {
    const used = new Set(edges.map((edge) => `${edge.from} → ${edge.to}`));
    none(Object.keys(importExceptions).filter((key) => !used.has(key)));
  });
});

describe('the hot path', () => {
  const hot = shipped.filter((source) => hotFolders.some((folder) => source.path.startsWith(folder)));

  it('waits for nothing, throws nothing and asks no clock, apart from listed files', () => {
    none(hot.flatMap((source) => wordsIn(source, hotWords)));
  });

  it('has no exception that nothing uses any more', () => {
    const byPath = new Map(hot.map((source) => [source.path, source]));
    none(
      Object.entries(hotExceptions).flatMap(([path, words]) =>
        Object.keys(words)
          .filter((word) => !(hotWords[word]?.test(byPath.get(path)?.code ?? '') ?? false))
          .map((word) => `${path}: ${word}`),
      ),
    );
  });
});

function wordsIn(source: SourceFile, words: Readonly<Record<string, RegExp>>): string[] {
  const allowed = hotExceptions[source.path] ?? {};
  const found: string[] = [];
  for (const [number, line] of source.code.split('\n').entries()) {
    for (const [name, pattern] of Object.entries(words)) {
      if (pattern.test(line) && !(name in allowed)) found.push(`${source.path}:${number + 1} ${name}`);
    }
  }
  return found;
}

describe('files', () => {
  it(`have at most ${fileLineLimit} lines, tests ${testLineLimit}`, () => {
    none(
      sources
        .filter((source) => source.lines > (isTest(source.path) ? testLineLimit : fileLineLimit))
        .map((source) => `${source.path}: ${source.lines} lines`),
    );
  });

  it(`hold functions of at most ${functionLineLimit} lines and ${parameterLimit} parameters`, () => {
    const findings: string[] = [];
    for (const source of shipped) {
      for (const { name, line, lines, parameters } of source.functions) {
        if (`${source.path}:${name}` in functionExceptions) continue;
        if (lines > functionLineLimit) findings.push(`${source.path}:${line} ${name} has ${lines} lines`);
        if (parameters > parameterLimit) findings.push(`${source.path}:${line} ${name} has ${parameters} parameters`);
      }
    }
    none(findings);
  });

  it(`are at most ${folderFileLimit} in a folder, tests aside`, () => {
    const counts: Map<string, number> = new Map();
    for (const { path } of shipped) counts.set(dirname(path), (counts.get(dirname(path)) ?? 0) + 1);
    none(
      [...counts]
        .filter(([folder, count]) => count > folderFileLimit && !(folder in folderExceptions))
        .map(([folder, count]) => `${folder}: ${count} files`),
    );
  });

  it('have names that say something, in kebab case', () => {
    const odd = sources.filter(
      ({ path }) => !(path in nameExceptions) && (emptyNames.test(path) || !/^[a-z0-9/.-]+$/.test(path)),
    );
    none(odd.map((source) => source.path));
  });

  it('say in their first line what they are for', () => {
    none(shipped.filter((source) => !/^(?:#!.*\n)?\/\/ \S/.test(source.text)).map((source) => source.path));
  });

  it('export by name only', () => {
    none(sources.filter((source) => /^export default\b/m.test(source.code)).map((source) => source.path));
  });

  it('switch no check of the compiler off', () => {
    none(sources.filter((source) => /^\s*\/\/\s*@ts-|\/\*\s*@ts-/m.test(source.text)).map((source) => source.path));
  });
});

describe('documents', () => {
  const pages = [
    ...listFiles('docs', '.md'),
    ...['README.md', 'CONTRIBUTING.md'].filter((name) => existsSync(join(repositoryRoot, name))),
  ];

  it('link to what exists', () => {
    none(pages.flatMap(brokenLinks));
  });

  it('name every folder in docs/architecture.md, and no folder that is gone', () => {
    const text = readFileSync(join(repositoryRoot, 'docs/architecture.md'), 'utf8');
    const folders = Object.keys(workspaces).flatMap((workspace) =>
      listFolders(`${workspace}/src`).map((folder) => `${workspace}/src/${folder}/`),
    );
    none(
      folders
        .filter((folder) => !text.includes(`\`${folder}\``))
        .map((folder) => `docs/architecture.md lacks \`${folder}\``),
    );
    const named = [...text.matchAll(/`([a-z-]+\/src\/[a-z0-9/-]+\/)`/g)].map((match) => match[1] ?? '');
    none(
      named
        .filter((folder) => !existsSync(join(repositoryRoot, folder)))
        .map((folder) => `docs/architecture.md names \`${folder}\`, which is gone`),
    );
  });
});

function brokenLinks(page: string): string[] {
  const text = readFileSync(join(repositoryRoot, page), 'utf8').replace(/```[\s\S]*?```/g, '');
  const broken: string[] = [];
  for (const match of text.matchAll(/\]\(([^)\s]+)\)/g)) {
    const target = match[1] ?? '';
    if (/^[a-z]+:/.test(target)) continue;
    const [file = '', anchor] = target.split('#');
    const path = file === '' ? page : join(dirname(page), file);
    if (!existsSync(join(repositoryRoot, path))) broken.push(`${page}: ${target}`);
    else if (anchor !== undefined && path.endsWith('.md') && !anchorsOf(path).has(anchor))
      broken.push(`${page}: ${target} (no such heading)`);
  }
  return broken;
}

function anchorsOf(page: string): Set<string> {
  const text = readFileSync(join(repositoryRoot, page), 'utf8').replace(/```[\s\S]*?```/g, '');
  const headings = [...text.matchAll(/^#+ (.+)$/gm)].map((match) => match[1] ?? '');
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .trim()
        .replaceAll(' ', '-'),
    ),
  );
}

function finding(place: string, problem: string | null): string[] {
  return problem === null ? [] : [`${place}: ${problem}`];
}
