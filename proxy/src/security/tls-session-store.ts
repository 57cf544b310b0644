// TLS sessions of one cluster, to be resumed by later connections: a few per server name, newest first.

import type { CertificateFacts } from '@weft/lib/x509/certificate';

/** A session, and the certificate that was verified when it began: Node does not show it again on resumption. */
export interface StoredSession {
  readonly session: Buffer;
  /** Null where nothing is verified. */
  readonly facts: CertificateFacts | null;
}

/** Server names come from requests when `auto_sni` is on, so their number is bounded; the longest unused goes first. */
const maxServerNames = 256;

/** Gives each session out once, as TLS 1.3 wants it (RFC 8446 appendix C.4). */
export class SessionStore {
  private readonly byServerName: Map<string, StoredSession[]> = new Map();
  private readonly maxPerName: number;

  /** At most `maxPerName` sessions per server name; 0 keeps none. */
  constructor(maxPerName: number) {
    this.maxPerName = maxPerName;
  }

  keep(serverName: string, session: StoredSession): void {
    if (this.maxPerName === 0) return;
    const stored = this.byServerName.get(serverName) ?? [];
    stored.unshift(session);
    if (stored.length > this.maxPerName) stored.pop();
    this.byServerName.delete(serverName);
    this.byServerName.set(serverName, stored);
    if (this.byServerName.size <= maxServerNames) return;
    const [oldest] = this.byServerName.keys();
    if (oldest !== undefined) this.byServerName.delete(oldest);
  }

  /** The newest that is still worth something, or null. */
  take(serverName: string, nowMs: number): StoredSession | null {
    const stored = this.byServerName.get(serverName);
    if (stored === undefined) return null;
    const newest = stored.shift();
    if (stored.length === 0) this.byServerName.delete(serverName);
    // A session is worth nothing beyond the certificate that it stands for.
    if (newest === undefined || (newest.facts !== null && newest.facts.notAfterMs <= nowMs)) return null;
    return newest;
  }
}
