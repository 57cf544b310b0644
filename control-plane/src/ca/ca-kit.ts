// An authority in a directory of its own and a log that keeps what it is told, for tests.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, systemClock } from '@weft/lib/clock';
import { loadOrMakeAuthority } from './ca-files.ts';
import type { CaLog } from './ca-log.ts';
import { type AuthorityOptions, CertificateAuthority } from './certificate-authority.ts';

/** A log in memory: `level message {fields}`. */
export class KeptLog implements CaLog {
  readonly lines: string[] = [];

  info(fields: object, message: string): void {
    this.lines.push(`info ${message} ${JSON.stringify(fields)}`);
  }

  warn(fields: object, message: string): void {
    this.lines.push(`warn ${message} ${JSON.stringify(fields)}`);
  }

  error(fields: object, message: string): void {
    this.lines.push(`error ${message} ${JSON.stringify(fields)}`);
  }
}

/** A directory that is gone after the test. */
export function makeTestDirectory(cleanUp: (callback: () => void) => void): string {
  const directory = mkdtempSync(join(tmpdir(), 'weft-ca-'));
  cleanUp(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** A new authority with a root of its own. */
export async function makeTestAuthority(
  directory: string,
  options: Partial<AuthorityOptions> = {},
  clock: Clock = systemClock,
): Promise<CertificateAuthority> {
  const files = await loadOrMakeAuthority(join(directory, 'ca'), {
    trustDomain: 'cluster.local',
    nowMs: clock.wallMs(),
  });
  return new CertificateAuthority(files, { clock, trustDomain: 'cluster.local', ...options });
}
