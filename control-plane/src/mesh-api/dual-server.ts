// One port for HTTP and HTTPS: the first byte of a connection says which. kubectl sends a token over TLS only; curl and the CLI need none.

import http, { type RequestListener } from 'node:http';
import https from 'node:https';
import net, { type AddressInfo, type Socket } from 'node:net';

/** A certificate chain and its key, as PEM. */
export interface ServerCertificate {
  readonly certificate: string;
  readonly key: string;
}

const tlsHandshake = 0x16;
const firstByteMs = 10_000;
const maxConnections = 2000;
/** How often the times of requests are looked at decides how exact they are. */
const httpOptions = { maxHeaderSize: 32 * 1024, connectionsCheckingInterval: 1000 };

/** How long a client may take. */
export interface RequestTimes {
  /** For the head of a request, from its first byte. */
  readonly headersMs: number;
  /** For the whole request. */
  readonly requestMs: number;
  /** Between requests. */
  readonly keepAliveMs: number;
}

const defaultTimes: RequestTimes = { headersMs: 10_000, requestMs: 60_000, keepAliveMs: 60_000 };

/** Listens once, serves both. */
export class DualServer {
  private readonly plain: http.Server;
  private readonly secure: https.Server | null;
  private readonly door: net.Server;
  private readonly sockets: Set<Socket> = new Set();

  constructor(handler: RequestListener, certificate: ServerCertificate | null, times: RequestTimes = defaultTimes) {
    this.plain = configure(http.createServer(httpOptions, handler), times);
    this.secure =
      certificate === null
        ? null
        : configure(
            https.createServer(
              {
                ...httpOptions,
                handshakeTimeout: 10_000,
                cert: certificate.certificate,
                key: certificate.key,
                minVersion: 'TLSv1.2',
              },
              handler,
            ),
            times,
          );
    this.door = net.createServer((socket) => this.admit(socket));
    this.door.maxConnections = maxConnections;
  }

  /** Resolves with the port once connections are taken. */
  listen(port: number, host: string): Promise<number> {
    return new Promise((resolve, reject) => {
      this.door.once('error', reject);
      this.door.listen(port, host, () => {
        this.door.off('error', reject);
        resolve((this.door.address() as AddressInfo).port);
      });
    });
  }

  /** A new certificate for connections from now on. */
  renew(certificate: ServerCertificate): void {
    this.secure?.setSecureContext({ cert: certificate.certificate, key: certificate.key });
  }

  /** Takes no more connections and cuts the open ones. */
  close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    // Ends their looking after connections; that they were not listening is no news.
    this.plain.close(() => {});
    this.secure?.close(() => {});
    return new Promise((resolve) => this.door.close(() => resolve()));
  }

  private admit(socket: Socket): void {
    this.sockets.add(socket);
    socket.once('close', () => this.sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    socket.setTimeout(firstByteMs, () => socket.destroy());
    socket.once('readable', () => this.hand(socket));
  }

  private hand(socket: Socket): void {
    const chunk: Buffer | null = socket.read();
    if (chunk === null) {
      // The peer left without a word.
      socket.destroy();
      return;
    }
    socket.setTimeout(0);
    socket.removeAllListeners('timeout');
    const server = chunk[0] === tlsHandshake ? this.secure : this.plain;
    if (server === null) {
      socket.destroy();
      return;
    }
    socket.unshift(chunk);
    server.emit('connection', socket);
  }
}

function configure<S extends http.Server | https.Server>(server: S, times: RequestTimes): S {
  server.headersTimeout = times.headersMs;
  server.requestTimeout = times.requestMs;
  server.keepAliveTimeout = times.keepAliveMs;
  // These servers are handed their connections and never listen, but only from that moment on do they enforce the times above.
  server.emit('listening');
  return server;
}
