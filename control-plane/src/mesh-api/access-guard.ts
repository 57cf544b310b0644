// Who may talk to the mesh API: bearers of the token, under a host name that is ours, from no foreign web page.

import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { failure, type Reply } from './reply.ts';

/** What is let in. */
export interface AccessRules {
  readonly token: string;
  /** Host names, without port, under which the API is called besides loopback ones. */
  readonly hosts?: readonly string[];
  /** Origins of web pages that may call it, such as `http://127.0.0.1:7071`, besides its own. */
  readonly origins?: readonly string[];
}

const loopbackHosts = ['localhost', '127.0.0.1', '[::1]'];

/** Checks requests. A web page that tricks a browser by DNS has a foreign Host or Origin, and no token. */
export class AccessGuard {
  private readonly tokenHash: Buffer;
  private readonly hosts: ReadonlySet<string>;
  private readonly origins: ReadonlySet<string>;

  constructor(rules: AccessRules) {
    this.tokenHash = hash(rules.token);
    this.hosts = new Set([...loopbackHosts, ...(rules.hosts ?? [])].map((host) => host.toLowerCase()));
    this.origins = new Set(rules.origins ?? []);
  }

  /** The reply that refuses a request, or null when it is let in. */
  refuse(headers: IncomingHttpHeaders, isPublic: boolean): Reply | null {
    const { host, origin, authorization } = headers;
    if (host === undefined || !this.hosts.has(hostName(host))) {
      return failure(
        'Forbidden',
        `The Host header ${JSON.stringify(host ?? '')} is none of this API's names; call it as localhost or 127.0.0.1.`,
      );
    }
    if (origin !== undefined && !this.isOwnOrigin(origin, host)) {
      return failure('Forbidden', `Web pages of ${JSON.stringify(origin)} may not call this API.`);
    }
    if (isPublic || this.hasToken(authorization)) return null;
    const reply = failure(
      'Unauthorized',
      'A bearer token is needed: send "Authorization: Bearer TOKEN" with the content of the token file.',
    );
    return { ...reply, headers: { 'www-authenticate': 'Bearer realm="weft"' } };
  }

  private isOwnOrigin(origin: string, host: string): boolean {
    return this.origins.has(origin) || origin === `http://${host}` || origin === `https://${host}`;
  }

  private hasToken(authorization: string | undefined): boolean {
    const match = /^Bearer +(\S+)$/i.exec(authorization ?? '');
    // Hashes have one length, so the comparison takes the same time whatever was sent.
    return timingSafeEqual(hash(match?.[1] ?? ''), this.tokenHash) && match !== null;
  }
}

function hostName(host: string): string {
  return host.replace(/:\d+$/, '').toLowerCase();
}

function hash(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
