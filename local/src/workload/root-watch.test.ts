import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { PausedClock } from '@weft/lib/clock';
import { temporaryFolder } from '../../../test/kit/folder.ts';
import { RootWatch } from './root-watch.ts';

const pollMs = 20_000;
const pem = (text: string): string => `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`;

test('tells of another root once, and not of one that came beside it or of a file that is away', (context) => {
  const path = join(temporaryFolder(context), 'root-cert.pem');
  const clock = new PausedClock();
  let changes = 0;
  const watch = new RootWatch(path, clock, () => changes++);
  context.after(() => watch.stop());
  writeFileSync(path, pem('old'));
  watch.start();
  for (const content of [pem('old') + pem('next'), pem('next'), null, pem('next')]) {
    if (content === null) rmSync(path);
    else writeFileSync(path, content);
    clock.advance(pollMs);
  }
  assert.equal(changes, 0);
  writeFileSync(path, pem('other'));
  clock.advance(2 * pollMs);
  assert.equal(changes, 1);
  watch.stop();
  writeFileSync(path, pem('another'));
  clock.advance(pollMs);
  assert.equal(changes, 1);
});
