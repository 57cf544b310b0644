// An HTTP/2 upstream that writes down what reaches it and answers as the case says.

import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { StrictConnection, type StrictEvents } from '../../kit/http2/strict-connection.ts';
import type { StrictStream } from '../../kit/http2/strict-stream.ts';
import type { Case } from './case.ts';
import { bodyLine, fieldLines, shortText } from './outcome.ts';

export class Http2Recorder implements StrictEvents {
  activeMs = 0;
  private lines: string[] = [];
  private count = 0;
  private current: Case | null = null;
  private connections: StrictConnection[] = [];
  private readonly server = createServer({ noDelay: true }, (socket) => {
    socket.on('data', () => {
      this.activeMs = performance.now();
    });
    this.connections.push(new StrictConnection(socket, this, { settings: '8=1' }));
  });

  async listen(): Promise<number> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    return (this.server.address() as AddressInfo).port;
  }

  begin(one: Case): void {
    this.lines = [];
    this.count = 0;
    this.current = one;
  }

  async end(): Promise<string[]> {
    this.current = null;
    const open = this.connections.filter(({ isClosed }) => !isClosed);
    const unfinished = this.connections.flatMap(({ streams }) => [...streams.values()].filter((one) => !one.isEnded));
    for (const stream of unfinished) {
      this.lines.push(
        `> unfinished ${stream.field(':method')} ${shortText(stream.path)}, body ${stream.bodyBytes} bytes`,
      );
    }
    for (const connection of this.connections) this.lines.push(...endLines(connection));
    const closed = open.map(({ socket }) => once(socket, 'close'));
    for (const { socket } of open) socket.destroy();
    await Promise.all(closed);
    this.connections = [];
    return this.lines;
  }

  close(): void {
    for (const { socket } of this.connections) socket.destroy();
    this.server.close();
  }

  onRequest(connection: StrictConnection, stream: StrictStream): void {
    const prefix = `>${++this.count}`;
    this.lines.push(`${prefix} HTTP/2`, ...fieldLines(prefix, stream.fields), ...bodyLine(prefix, stream.content));
    this.lines.push(...fieldLines(`${prefix} trailer`, stream.trailers ?? []));
    const answer = this.current?.answer ?? null;
    if (typeof answer === 'string') connection.send(answer.replaceAll('ID', String(stream.id)));
    else if (answer !== null) connection.socket.write(answer);
    else if (stream.field(':method') === 'HEAD')
      connection.send(`headers ${stream.id} end |ok|x-up: 1|content-length: 2`);
    else connection.send(`headers ${stream.id} |ok|x-up: 1|content-length: 2\ndata ${stream.id} end |ok`);
    if (this.current?.answerCloses === true) connection.socket.end();
  }
}

/** How the proxy told the upstream of a mistake. */
function endLines({ frames }: StrictConnection): string[] {
  const told = frames.filter((line) => /^(?:RST_STREAM|GOAWAY)/.test(line) && !/ NO_ERROR$/.test(line));
  return told.map((line) => `> ${line}`);
}
