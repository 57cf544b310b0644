// Folders that vanish with the test that made them.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

/** A fresh empty folder, removed with all it holds when the test (or suite) ends. */
export function temporaryFolder(context: Pick<TestContext, 'after'>): string {
  const folder = mkdtempSync(join(tmpdir(), 'weft-test-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
