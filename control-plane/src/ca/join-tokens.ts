// Join tokens: how a workload proves who it is before it has a certificate.
//
//   fresh ──first certificate──▶ used ──first mTLS with a certificate it bought──▶ dead
//     └───────────── time is up ──┴──────────────▶ gone
//
// A `used` token still works, for the same identity: the workload may have crashed, or the answer been lost, between the
// certificate and its first use. From the first mTLS on the certificate speaks for the workload, and a token that turns up
// again is in the wrong hands.

import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '@weft/lib/clock';
import { makeFolder } from '@weft/lib/disk/make-folder';
import { codeOf } from '@weft/lib/error';
import { parseSpiffeId } from '@weft/lib/x509/spiffe';
import { writeDurably } from './ca-files.ts';
import type { CaLog } from './ca-log.ts';

/** One token as stored: a file named after its hash, so that the token itself is nowhere. */
interface TokenRecord {
  /** SPIFFE id. */
  readonly identity: string;
  readonly expiresMs: number;
  readonly isDead: boolean;
  /** Serial numbers of the certificates it bought. */
  readonly serials: readonly string[];
}

/** Whose token it is, or why it is refused. */
export type TokenVerdict = { readonly identity: string; readonly hash: string } | { readonly reason: string };

const defaultTtlMs = 10 * 60_000;
/** Certificates one token may buy; a workload that crashes more often than this before its first call needs a person. */
const maxCertificates = 16;
const tokenPattern = /^[A-Za-z0-9_-]{43}$/;

/** Tokens on disk, so that a restart of the control plane keeps them. */
export class JoinTokens {
  private readonly directory: string;
  private readonly clock: Clock;
  private readonly log: CaLog;
  /** Certificates bought with tokens that are not dead yet, by serial number. */
  private readonly bySerial: Map<string, string> = new Map();

  constructor(directory: string, clock: Clock, log: CaLog) {
    this.directory = directory;
    this.clock = clock;
    this.log = log;
    makeFolder(directory, 0o700);
    for (const hash of this.hashes()) this.index(hash);
  }

  /** A new token for that identity. Give it to the workload by a file that only it can read. */
  create(identity: string, ttlMs: number = defaultTtlMs): string {
    if (parseSpiffeId(identity) === null) throw new TypeError(`"${identity}" is no workload identity`);
    this.sweep();
    const token = randomBytes(32).toString('base64url');
    this.write(hashOf(token), { identity, expiresMs: this.clock.wallMs() + ttlMs, isDead: false, serials: [] });
    return token;
  }

  /** Checks a token that a caller shows. */
  verify(token: string): TokenVerdict {
    const hash = tokenPattern.test(token) ? hashOf(token) : '';
    const record = hash === '' ? null : this.read(hash);
    if (record === null) return this.refuse('the join token is unknown, or its time is long over', null);
    if (record.expiresMs <= this.clock.wallMs()) return this.refuse('the join token has expired', record);
    if (record.isDead) {
      return this.refuse('the join token was replayed: the workload it was for has its certificate already', record);
    }
    if (record.serials.length >= maxCertificates) return this.refuse('the join token was used too often', record);
    return { identity: record.identity, hash };
  }

  /** Notes a certificate bought with a token, before it is handed out. */
  recordIssued(hash: string, serial: string): void {
    const record = this.read(hash);
    if (record === null) return;
    this.write(hash, { ...record, serials: [...record.serials, serial] });
    this.bySerial.set(serial, hash);
  }

  /**
   * A caller has shown a certificate of that serial number by mTLS: the token that bought it dies. Where that cannot be written, as
   * on a full disk, the caller is who it is all the same, and its next call tries again.
   */
  confirm(serial: string): void {
    const hash = this.bySerial.get(serial);
    if (hash === undefined) return;
    const record = this.read(hash);
    if (record !== null && !record.isDead && !this.kill(hash, record)) return;
    for (const bought of record?.serials ?? [serial]) this.bySerial.delete(bought);
  }

  /** Forgets tokens whose time is over. */
  sweep(): void {
    for (const hash of this.hashes()) {
      const record = this.read(hash);
      if (record !== null && record.expiresMs > this.clock.wallMs()) continue;
      for (const serial of record?.serials ?? []) this.bySerial.delete(serial);
      rmSync(this.path(hash), { force: true });
    }
  }

  private refuse(reason: string, record: TokenRecord | null): TokenVerdict {
    this.log.warn({ reason, identity: record?.identity }, 'join token refused');
    return { reason };
  }

  /** Whether the token is dead for good now. */
  private kill(hash: string, record: TokenRecord): boolean {
    try {
      this.write(hash, { ...record, isDead: true });
      return true;
    } catch (error) {
      const fields = { err: error, identity: record.identity, hash };
      this.log.error(
        fields,
        'a join token that was used cannot be ended yet; the next call of its workload tries again',
      );
      return false;
    }
  }

  private index(hash: string): void {
    const record = this.read(hash);
    if (record === null || record.isDead) return;
    for (const serial of record.serials) this.bySerial.set(serial, hash);
  }

  private hashes(): string[] {
    return readdirSync(this.directory).flatMap((name) =>
      /^[0-9a-f]{64}\.json$/.test(name) ? [name.slice(0, 64)] : [],
    );
  }

  private path(hash: string): string {
    return join(this.directory, `${hash}.json`);
  }

  /** Null for a token that does not exist or whose file is damaged: then it buys nothing. */
  private read(hash: string): TokenRecord | null {
    try {
      return parseRecord(JSON.parse(readFileSync(this.path(hash), 'utf8')));
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') this.log.warn({ err: error, hash }, 'a join token cannot be read');
      return null;
    }
  }

  private write(hash: string, record: TokenRecord): void {
    const fresh = `${this.path(hash)}.${randomBytes(6).toString('hex')}.new`;
    try {
      writeDurably(fresh, JSON.stringify(record), 0o600);
      renameSync(fresh, this.path(hash));
    } catch (error) {
      rmSync(fresh, { force: true });
      throw error;
    }
  }
}

function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

function parseRecord(value: unknown): TokenRecord | null {
  if (typeof value !== 'object' || value === null) return null;
  const { identity, expiresMs, isDead, serials } = value as Partial<Record<keyof TokenRecord, unknown>>;
  if (typeof identity !== 'string' || typeof expiresMs !== 'number' || typeof isDead !== 'boolean') return null;
  if (!Array.isArray(serials)) return null;
  return { identity, expiresMs, isDead, serials: serials.map(String) };
}
