// `node scripts/docs.ts` writes the pages of docs/ that are made from the source; with --check it only says which are out of date.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { accessLogPage } from './docs/access-log-page.ts';
import { errorsPage } from './docs/errors-page.ts';
import { issuesPage } from './docs/issues-page.ts';
import { metricsPage } from './docs/metrics-page.ts';
import { isTest, readSources, repositoryRoot } from './source/tree.ts';

const sources = readSources().filter((source) => !isTest(source.path));
const pages: Readonly<Record<string, string>> = {
  'docs/access-log.md': accessLogPage(),
  'docs/errors.md': errorsPage(),
  'docs/issues.md': issuesPage(sources),
  'docs/metrics.md': metricsPage(sources),
};

function currentText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

const stale = Object.entries(pages).filter(([page, text]) => currentText(join(repositoryRoot, page)) !== text);
if (process.argv.includes('--check')) {
  for (const [page] of stale) console.error(`${page} is out of date; run node scripts/docs.ts`);
  process.exitCode = stale.length === 0 ? 0 : 1;
} else {
  for (const [page, text] of stale) {
    writeFileSync(join(repositoryRoot, page), text);
    console.log(`wrote ${page}`);
  }
}
