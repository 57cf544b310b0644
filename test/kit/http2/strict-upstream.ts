// An HTTP/2 upstream that answers by script and holds the proxy to the letter of the standard.

import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import type { TestContext } from 'node:test';
import { until } from '../until.ts';
import { StrictConnection, type StrictEvents, type StrictOptions } from './strict-connection.ts';
import type { StrictStream } from './strict-stream.ts';

/** Frames that answer one request; `ID` stands for its stream. */
export type Answer = (connection: StrictConnection, stream: StrictStream) => void;

/** Sends a script of frames. */
export function frames(script: string): Answer {
  return (connection, stream) => connection.send(script.replaceAll('ID', String(stream.id)));
}

const head = frames('headers ID end |ok');
const headAndBody = frames('headers ID |ok\ndata ID end |answered');

/** 200 with a short body. */
export const ok: Answer = (connection, stream) => {
  const answer = stream.field(':method') === 'HEAD' ? head : headAndBody;
  answer(connection, stream);
};

export interface StrictUpstreamOptions extends StrictOptions {
  /** Answers as soon as the head is there, not at the end of the request. */
  readonly atHead?: Answer;
}

export class StrictUpstream implements StrictEvents {
  readonly connections: StrictConnection[] = [];
  readonly requests: StrictStream[] = [];
  private answers: readonly Answer[];
  private options: StrictUpstreamOptions;
  private readonly server: Server = createServer({ noDelay: true }, (socket) => {
    this.connections.push(new StrictConnection(socket, this, this.options));
  });

  constructor(answers: readonly Answer[], options: StrictUpstreamOptions) {
    this.answers = answers;
    this.options = options;
  }

  async listen(): Promise<void> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** From the next request on; connections opened from now on take the options. */
  script(answers: readonly Answer[], options: StrictUpstreamOptions = {}): void {
    this.answers = answers;
    this.options = options;
  }

  onHead(connection: StrictConnection, stream: StrictStream): void {
    this.options.atHead?.(connection, stream);
  }

  onRequest(connection: StrictConnection, stream: StrictStream): void {
    this.requests.push(stream);
    const [answer, ...rest] = this.answers;
    if (rest.length > 0) this.answers = rest;
    answer?.(connection, stream);
  }

  get violations(): string[] {
    return this.connections.flatMap((connection) => connection.violations);
  }

  /** Sends a PING on every open connection and waits for the answers: what the proxy sent before has been checked then. */
  async inStep(): Promise<void> {
    const open = this.connections.filter((connection) => !connection.isClosed);
    for (const connection of open) connection.send('ping');
    await until('the proxy answers PING', () => open.every((one) => one.isClosed || one.isInStep));
  }

  /** Cuts what is open. */
  async close(): Promise<void> {
    for (const { socket } of this.connections) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

/** Listens on a free loopback port; it ends with the test. */
export async function startStrictUpstream(
  context: Pick<TestContext, 'after'>,
  answers: readonly Answer[] = [ok],
  options: StrictUpstreamOptions = {},
): Promise<StrictUpstream> {
  const upstream = new StrictUpstream(answers, options);
  await upstream.listen();
  context.after(() => upstream.close());
  return upstream;
}
