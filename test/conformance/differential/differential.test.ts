// Odd and hostile messages through Weft and through Envoy with the same bootstrap: every difference is known and explained.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readCorpus } from './corpus.ts';
import { explain, fingerprint, readKept } from './differences.ts';
import { differencesPage, readPage } from './page.ts';
import { reasons } from './reasons.ts';
import { compare, envoyVersion, skip } from './runner.ts';

const accept = '`npm run conformance -- differential accept` writes what is seen now; review it with git diff';
const cases = readCorpus();
const kept = readKept();

describe('the list of differences', () => {
  test('has a reason for each, and no reason for nothing', () => {
    for (const one of kept.differences) assert.equal(one.reason, explain(one), `${one.name}: ${accept}`);
    const used = new Set(kept.differences.map(({ reason }) => reason));
    assert.deepEqual(
      reasons.map(({ id }) => id).filter((id) => !used.has(id)),
      [],
    );
  });

  test('names cases that exist', () => {
    const names = new Set(cases.map(({ name }) => name));
    assert.deepEqual(
      kept.differences.filter(({ name }) => !names.has(name)),
      [],
    );
  });

  test('is what docs/differences-from-envoy.md says', () => {
    assert.equal(readPage(), differencesPage(kept), accept);
  });
});

/** Another version may differ otherwise. */
function reasonToSkip(): string | false {
  if (skip !== false) return skip;
  const version = envoyVersion();
  return version === kept.envoyVersion ? false : `Envoy is ${version}, the list was made with ${kept.envoyVersion}`;
}

describe('the proxies', { skip: reasonToSkip() }, () => {
  test(`do the same with ${cases.length} messages, but for what is listed`, async () => {
    const found = await compare(cases, kept.differences);
    const known = new Set(kept.differences.map(fingerprint));
    const seen = new Set(found.map(fingerprint));
    const unlisted = found.filter((one) => !known.has(fingerprint(one)));
    const stale = kept.differences.filter((one) => !seen.has(fingerprint(one)));
    assert.deepEqual({ unlisted, stale }, { unlisted: [], stale: [] }, accept);
  });
});
