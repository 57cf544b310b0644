// Keeps records in one SQLite file. What was written is on disk when the call returns, whatever happens to the process afterwards.

import { dirname } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { apiVersionOf, kinds } from '@weft/api/resource/kind';
import { makeFolder } from '@weft/lib/disk/make-folder';
import { messageOf, WeftError } from '@weft/lib/error';
import type { KeptRecord, Persistence, RecordChange, RecordKey } from './persistence.ts';
import type { Positions, StoredResource } from './world.ts';

/** Form of the tables; a file of a newer form is refused, an older one is converted here. */
const formVersion = 1;

const tables = `
  CREATE TABLE IF NOT EXISTS record (
    layer TEXT NOT NULL,
    kind TEXT NOT NULL,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    body TEXT NOT NULL,
    positions TEXT,
    PRIMARY KEY (layer, kind, namespace, name)
  ) WITHOUT ROWID, STRICT;
  CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID, STRICT;
`;

/** Opens or makes the file. Throws `WeftError` when another process has it open or when it is no store. */
export function openSqlitePersistence(file: string): Persistence {
  makeFolder(dirname(file), 0o700);
  let database: DatabaseSync | null = null;
  try {
    database = new DatabaseSync(file);
    prepare(database, file);
    return new SqlitePersistence(database);
  } catch (thrown) {
    database?.close();
    if (thrown instanceof WeftError) throw thrown;
    throw openingError(file, thrown);
  }
}

function openingError(file: string, cause: unknown): WeftError {
  const problem = messageOf(cause);
  if (/locked|busy/i.test(problem)) {
    const why = 'another control plane has it open; stop that one first';
    return new WeftError('WEFT0830', `The store ${file} cannot be opened: ${why}.`, { cause });
  }
  const isFull = /disk is full/i.test(problem);
  const why = `${problem}; ${isFull ? 'make room for it' : 'move the file away to start with what the files of the mesh say'}`;
  return new WeftError('WEFT0520', `The store ${file} cannot be opened: ${why}.`, { cause });
}

function prepare(database: DatabaseSync, file: string): void {
  // Exclusive: two control planes on one file would overwrite each other. FULL: a commit has reached the disk, not only the system.
  database.exec(
    'PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 200;',
  );
  const found = Number(database.prepare('PRAGMA user_version').get()?.user_version ?? 0);
  if (found > formVersion) {
    throw new WeftError(
      'WEFT0521',
      `The store ${file} was written by a newer Weft (form ${found}, this one knows ${formVersion}); use that version.`,
    );
  }
  database.exec(`BEGIN IMMEDIATE; ${tables} PRAGMA user_version = ${formVersion}; COMMIT;`);
}

class SqlitePersistence implements Persistence {
  private readonly database: DatabaseSync;
  private readonly upsert: StatementSync;
  private readonly remove: StatementSync;
  private readonly count: StatementSync;

  constructor(database: DatabaseSync) {
    this.database = database;
    this.upsert = database.prepare(
      'INSERT OR REPLACE INTO record (layer, kind, namespace, name, body, positions) VALUES (?, ?, ?, ?, ?, ?)',
    );
    this.remove = database.prepare('DELETE FROM record WHERE layer = ? AND kind = ? AND namespace = ? AND name = ?');
    this.count = database.prepare("INSERT OR REPLACE INTO counter (name, value) VALUES ('revision', ?)");
  }

  load(): { revision: number; records: readonly KeptRecord[] } {
    const row = this.database.prepare("SELECT value FROM counter WHERE name = 'revision'").get();
    const rows = this.database
      .prepare('SELECT layer, kind, body, positions FROM record ORDER BY layer, kind, namespace, name')
      .all();
    return { revision: Number(row?.value ?? 0), records: rows.flatMap(readRow) };
  }

  write(revision: number, changes: readonly RecordChange[]): void {
    this.database.exec('BEGIN IMMEDIATE');
    try {
      for (const change of changes) this.apply(change);
      this.count.run(revision);
      this.database.exec('COMMIT');
    } catch (thrown) {
      if (this.database.isTransaction) this.database.exec('ROLLBACK');
      throw new WeftError('WEFT0522', `The store cannot write: ${messageOf(thrown)}.`, { cause: thrown });
    }
  }

  private apply({ key, resource }: RecordChange): void {
    if (resource === null) {
      this.remove.run(...columnsOf(key));
      return;
    }
    const positions = resource.positions === null ? null : JSON.stringify(resource.positions);
    this.upsert.run(...columnsOf(key), JSON.stringify(resource.object), positions);
  }

  close(): void {
    this.database.close();
  }
}

function columnsOf(key: RecordKey): [string, string, string, string] {
  return [key.layer, key.kind, key.namespace, key.name];
}

/** A kind that this version does not know stays in the file and out of the world. */
function readRow(row: Record<string, unknown>): readonly KeptRecord[] {
  const info = kinds.find((each) => each.id === row.kind);
  if (info === undefined) return [];
  const object = { ...JSON.parse(String(row.body)), apiVersion: apiVersionOf(info) } as StoredResource['object'];
  const positions = row.positions === null ? null : (JSON.parse(String(row.positions)) as Positions);
  const { name, namespace = '', generation } = object.metadata;
  const place = positions === null ? {} : { file: positions.file, line: positions.line };
  const origin = { kind: info.kind, namespace, name, ...(generation === undefined ? {} : { generation }), ...place };
  const resource: StoredResource = { object, origin, layer: row.layer === 'file' ? 'file' : 'api', positions };
  return [{ kind: info.id, resource }];
}
