// Load that counts every answer: keep-alive connections that ask again as soon as they were answered.

import { Agent, type IncomingMessage, request } from 'node:http';

/** How it went. */
export interface LoadCount {
  readonly requests: number;
  readonly failed: number;
  readonly firstFailure: string;
  /** Answers of a routing older than the one acknowledged before the request was sent. */
  readonly stale: number;
}

/** The header in which the routes say their revision. */
export const revisionHeader = 'x-bench-revision';

/** Asks on `connections` connections until it is stopped. */
export class Load {
  /** The revision that every request sent from now on must see, or a later one. */
  acknowledged = 0;
  private requests = 0;
  private failed = 0;
  private stale = 0;
  private firstFailure = '';
  private isStopped = false;
  private readonly agent: Agent;
  private readonly port: number;
  private readonly running: Promise<void>[];

  constructor(port: number, connections: number) {
    this.port = port;
    this.agent = new Agent({ keepAlive: true, maxSockets: connections });
    this.running = Array.from({ length: connections }, () => this.run());
  }

  /** Ends after the requests that are under way. */
  async stop(): Promise<LoadCount> {
    this.isStopped = true;
    await Promise.all(this.running);
    this.agent.destroy();
    const { requests, failed, firstFailure, stale } = this;
    return { requests, failed, firstFailure, stale };
  }

  private async run(): Promise<void> {
    while (!this.isStopped) {
      const expected = this.acknowledged;
      const failure = await this.ask(expected);
      this.requests++;
      if (failure === '') continue;
      this.failed++;
      if (this.firstFailure === '') this.firstFailure = failure;
    }
  }

  private ask(expected: number): Promise<string> {
    return new Promise((resolve) => {
      const onResponse = (response: IncomingMessage) => {
        let length = 0;
        response.on('data', (chunk: Buffer) => (length += chunk.length));
        response.on('error', (error) => resolve(error.message));
        response.on('end', () => {
          if (Number(response.headers[revisionHeader]) < expected) this.stale++;
          const isRight = response.statusCode === 200 && length === 1024;
          resolve(isRight ? '' : `status ${response.statusCode} with ${length} bytes`);
        });
      };
      const call = request(
        { host: '127.0.0.1', port: this.port, path: '/api/items', agent: this.agent, timeout: 10_000 },
        onResponse,
      );
      call.on('timeout', () => call.destroy(new Error('no answer within 10 s')));
      call.on('error', (error) => resolve(error.message));
      call.end();
    });
  }
}
