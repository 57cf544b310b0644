// The store on disk: it comes back as it was, and a kill in the middle of writing loses nothing that was acknowledged.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { AnyResource } from '@weft/api/resource/kind';
import { PausedClock } from '@weft/lib/clock';
import { WeftError } from '@weft/lib/error';
import { ResourceStore } from './resource-store.ts';
import { openSqlitePersistence } from './sqlite-persistence.ts';

const folder = mkdtempSync(join(tmpdir(), 'weft-store-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const openStore = (file: string) =>
  new ResourceStore({ persistence: openSqlitePersistence(file), clock: new PausedClock() });

function service(name: string, externalName: string): AnyResource {
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 'default' }, spec: { externalName } };
}

describe('SQLite persistence', () => {
  it('comes back with the same objects, positions and versions', async () => {
    const file = join(folder, 'back.db');
    const positions = { file: 'a.yaml', line: 3, fields: { 'spec.ports': 7 } };
    const first = openStore(file);
    await first.put({ kind: 'Service', object: service('a', 'one'), positions });
    await first.put({ kind: 'Service', object: service('b', 'two'), positions: null });
    await first.delete('Service', 'default', 'b');
    const before = first.get('Service', 'default', 'a');
    first.close();
    const second = openStore(file);
    assert.deepEqual(second.get('Service', 'default', 'a'), before);
    assert.equal(second.get('Service', 'default', 'b'), null);
    assert.equal(second.revision, 3);
    assert.equal(
      second.watch('2', () => {}),
      null,
      'history is not kept, so old versions are expired',
    );
    assert.ok(second.watch('3', () => {}));
    second.close();
  });

  it('is open to one process at a time', () => {
    const file = join(folder, 'locked.db');
    const first = openStore(file);
    assert.throws(
      () => openStore(file),
      (error) => error instanceof WeftError && error.code === 'WEFT0830' && /another control plane/.test(error.message),
    );
    first.close();
    openStore(file).close();
  });

  it('explains a file that is no store, and one of a newer version', () => {
    const broken = join(folder, 'broken.db');
    writeFileSync(broken, 'this is no database, however long it is. '.repeat(100));
    assert.throws(
      () => openStore(broken),
      (error) => error instanceof WeftError && error.code === 'WEFT0520',
    );
    const newer = join(folder, 'newer.db');
    const database = new DatabaseSync(newer);
    database.exec('PRAGMA user_version = 99');
    database.close();
    assert.throws(
      () => openStore(newer),
      (error) => error instanceof WeftError && error.code === 'WEFT0521',
    );
  });

  it('loses nothing acknowledged when the writer is killed, again and again', async () => {
    const file = join(folder, 'crash.db');
    const expected = new Map<string, string>();
    let lastRevision = 0;
    for (let round = 0; round < 6; round++) {
      const said = await writeAndKill(file, round, 20 + round * 37);
      assert.ok(said.length > 0, 'the writer wrote');
      for (const [name = '', value = '', revision = '0'] of said.map((line) => line.split(' '))) {
        expected.set(name, value);
        lastRevision = Number(revision);
      }
      const last = said.at(-1)?.split(' ')[0];
      lastRevision = verify(file, expected, last, lastRevision);
    }
  });
});

/** Starts a writer, kills it after so many acknowledged writes, and gives what it acknowledged. */
function writeAndKill(file: string, round: number, writes: number): Promise<string[]> {
  const script = fileURLToPath(new URL('./crash-writer.mjs', import.meta.url));
  const child = spawn(process.execPath, [script, file, String(round)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const said: string[] = [];
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => {
    if (line !== 'ready') said.push(line);
    if (said.length === writes) child.kill('SIGKILL');
  });
  return new Promise((resolve) => lines.once('close', () => resolve(said)));
}

/** Compares the store with what was acknowledged. The name written last may be one write ahead, and so may the one after it. */
function verify(
  file: string,
  expected: Map<string, string>,
  lastName: string | undefined,
  lastRevision: number,
): number {
  const store = openStore(file);
  const { revision } = store;
  assert.ok(
    revision >= lastRevision && revision <= lastRevision + 1,
    `revision ${revision} after ${lastRevision} acknowledged`,
  );
  const differing: string[] = [];
  for (const [name, value] of expected) {
    const found = store.get('Service', 'default', name)?.object.spec.externalName ?? '-';
    if (found !== value) differing.push(name);
    expected.set(name, found);
  }
  assert.ok(
    differing.length <= revision - lastRevision,
    `${differing.join(', ')} differ; last written was ${lastName}`,
  );
  store.close();
  return revision;
}
