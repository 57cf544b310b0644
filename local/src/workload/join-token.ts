// A proxy's join token: written before the proxy starts, and again when the proxy has lost its identity. A token dies with the first
// use of the certificate it bought, so a proxy whose certificate ran out while the control plane was away or the machine slept has
// nothing left to show and would stay out of the mesh.
import { get } from 'node:http';
import type { Clock, Timer } from '@weft/lib/clock';
import { messageOf, WeftError } from '@weft/lib/error';
import type { MeshApiClient } from '../mesh-api/client.ts';
import { writePrivate } from '../state/private-file.ts';

/** Together with the half minute at most between two attempts of a proxy this is how long it takes to come back. */
const pollMs = 20_000;
const answerMs = 2000;
/** The name that a proxy's own certificate has on its admin pages. */
const ownCertificate = 'default';

/** Whose token it is, and where it goes. */
export interface JoinTokenOptions {
  readonly path: string;
  /** SPIFFE id. */
  readonly identity: string;
  readonly adminPort: number;
  readonly client: MeshApiClient;
  readonly clock: Clock;
  /** Something a person should read. */
  readonly onNote: (text: string) => void;
}

/** The file from which a proxy reads its token at every attempt. */
export class JoinToken {
  private readonly options: JoinTokenOptions;
  private timer: Timer | null = null;
  private isWatching = false;
  private lastNote = '';

  constructor(options: JoinTokenOptions) {
    this.options = options;
  }

  /** Puts a new token into the file. */
  async write(): Promise<void> {
    const { client, identity, path } = this.options;
    writePrivate(path, await requestJoinToken(client, identity));
  }

  /** The proxy runs: from now on it gets a new token whenever it is without an identity. */
  watch(): void {
    this.stop();
    this.isWatching = true;
    this.plan();
  }

  /** The proxy is gone. */
  stop(): void {
    this.isWatching = false;
    this.timer?.stop();
    this.timer = null;
  }

  /** Called by the timer. Never rejects. */
  async check(): Promise<void> {
    const { adminPort, clock } = this.options;
    const certificates = await readCertificates(adminPort);
    // One that does not answer is starting, busy or about to end, and tells nothing about its identity.
    if (!this.isWatching || certificates === null) return this.plan();
    if (certificates.some((certificate) => isOwnInDate(certificate, clock.wallMs()))) this.lastNote = '';
    else await this.replace();
    this.plan();
  }

  private async replace(): Promise<void> {
    try {
      await this.write();
      this.note('the proxy has no valid certificate; it was given a new join token');
    } catch (error) {
      this.note(`the proxy has no valid certificate, and there is no new join token yet: ${messageOf(error)}`);
    }
  }

  /** What lasts is said once, and nothing of a proxy that has gone meanwhile. */
  private note(text: string): void {
    if (!this.isWatching || text === this.lastNote) return;
    this.lastNote = text;
    this.options.onNote(text);
  }

  private plan(): void {
    if (!this.isWatching) return;
    this.timer?.stop();
    this.timer = this.options.clock.start(pollMs, onPoll, this);
  }
}

function onPoll(token: JoinToken): void {
  void token.check();
}

/** Asks for a single-use token with which a proxy of that identity may get its first certificate. */
async function requestJoinToken(client: MeshApiClient, identity: string): Promise<string> {
  const answer = await client.request('/weft/v1/join-tokens', { method: 'POST', body: { identity } });
  if (typeof answer === 'object' && answer !== null && 'token' in answer && typeof answer.token === 'string')
    return answer.token;
  throw new WeftError('WEFT0808', 'the mesh API gave no join token; control plane and tools are of different versions');
}

/** A certificate as `/certs` shows it. */
interface ShownCertificate {
  readonly path?: unknown;
  readonly valid_from?: unknown;
  readonly expiration_time?: unknown;
}

/** Also one that is not valid yet is no identity: the clock was set back. */
function isOwnInDate({ path, valid_from, expiration_time }: ShownCertificate, nowMs: number): boolean {
  if (path !== ownCertificate) return false;
  return Date.parse(String(valid_from)) <= nowMs && nowMs < Date.parse(String(expiration_time));
}

/** The certificates that a proxy shows to others; null when it does not answer. */
async function readCertificates(adminPort: number): Promise<readonly ShownCertificate[] | null> {
  const text = await fetchPage(adminPort, '/certs');
  if (text === null) return null;
  try {
    const { certificates } = JSON.parse(text) as { certificates: { cert_chain: ShownCertificate[] }[] };
    return certificates.flatMap(({ cert_chain: chain }) => [...chain]);
  } catch {
    return null;
  }
}

function fetchPage(port: number, path: string): Promise<string | null> {
  return new Promise((resolve) => {
    const call = get({ host: '127.0.0.1', port, path, agent: false, timeout: answerMs }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () => resolve(answer.statusCode === 200 ? Buffer.concat(chunks).toString() : null));
    });
    call.on('timeout', () => call.destroy());
    call.on('error', () => resolve(null));
    call.on('close', () => resolve(null));
  });
}
