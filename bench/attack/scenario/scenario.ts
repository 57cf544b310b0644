// What an attack is made of: the bytes a client sends, or what an endpoint does to the proxy that calls it.

/** A client that attacks. */
export interface ClientScenario {
  readonly name: string;
  /** Sent once on each connection. */
  readonly first: Buffer;
  /** Sent again and again behind it. */
  readonly again?: Buffer;
  /** That many connections at once, each sending `again` once a second; else one after the other. */
  readonly held?: number;
  /** At most so many connections; else as many as the time allows. */
  readonly connections?: number;
  /** It never reads what comes back, or leaves as soon as it has sent. */
  readonly manners?: 'deaf' | 'leave';
  /** Some of it is work that the proxy was asked for and did: the ratio says what that work costs. */
  readonly isServed?: boolean;
}

/** An endpoint that attacks: the name under which `hostile-upstream.ts` knows it. */
export interface UpstreamScenario {
  readonly name: string;
  readonly isHttp2: boolean;
}

/** `each` with `@` as 1, 3, 5 …: as many streams one after the other. */
export function streams(count: number, each: string, from = 0): string {
  return Array.from({ length: count }, (_, i) => each.replaceAll('@', String(2 * (from + i) + 1))).join('\n');
}

/** About that many bytes of it. */
export function repeated(piece: Buffer, bytes = 64 * 1024): Buffer {
  return Buffer.concat(Array.from({ length: Math.max(1, Math.floor(bytes / piece.length)) }, () => piece));
}
