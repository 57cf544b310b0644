// Fuzzes a whole proxy in this process: mutated messages of the differential corpus from clients and from upstreams, HTTP/1 and HTTP/2.
// Nothing crashes, nothing is left open when all have gone, and the next request works.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { framesOf } from '@weft/proxy/protocol/http2/testing/frame-script';
import { Random } from '@weft/proxy/protocol/http2/testing/random';
import { listMetrics } from '@weft/proxy/telemetry/metric-name';
import {
  cluster,
  httpManager,
  listener,
  routeTo,
  startTestProxy,
  type TestProxy,
} from '../../feature/proxy/fixture.ts';
import { fetchOnce } from '../../kit/client.ts';
import { until } from '../../kit/until.ts';
import type { HttpVersion } from '../differential/case.ts';
import { readCorpus } from '../differential/corpus.ts';
import { speaksHttp2 } from '../http2-upstream/proxy-before.ts';

const concurrency = 20;
const inputsBetweenChecks = 400;
const manager = { upgrade_configs: [{ upgrade_type: 'websocket' }, { upgrade_type: 'CONNECT' }] };
const usualHttp1 = Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
const usualHttp2 = Buffer.concat([framesOf('settings'), framesOf('settings ack\nheaders 1 |ok\ndata 1 end |ok')]);

/** What a run saw. */
export interface ProxyResult {
  readonly inputs: number;
  /** Connections on which the proxy said something. */
  readonly answered: number;
  /** Connections on which an upstream was asked. */
  readonly forwarded: number;
}

/** An upstream that answers whatever comes with whatever it was told, then hangs up. */
class BlindUpstream {
  answer: Buffer;
  asked = 0;
  private readonly usual: Buffer;
  private readonly sockets: Set<Socket> = new Set();
  private readonly server: Server = createServer({ noDelay: true }, (socket) => this.onConnection(socket));

  constructor(usual: Buffer) {
    this.answer = this.usual = usual;
  }

  async listen(): Promise<number> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    return (this.server.address() as AddressInfo).port;
  }

  beUsual(): void {
    this.answer = this.usual;
  }

  private onConnection(socket: Socket): void {
    const { answer } = this;
    this.sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.sockets.delete(socket));
    socket.once('data', () => {
      this.asked++;
      socket.write(answer);
      if (answer !== this.usual) socket.end();
    });
    socket.resume();
  }

  cut(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  close(): void {
    this.cut();
    this.server.close();
  }
}

/** Messages to begin with. */
interface Seeds {
  readonly inputs: readonly Buffer[];
  readonly answers: Readonly<Record<HttpVersion, readonly Buffer[]>>;
}

function readSeeds(): Seeds {
  const inputs: Buffer[] = [];
  const answers: Record<HttpVersion, Buffer[]> = { http1: [usualHttp1], http2: [usualHttp2] };
  for (const { input, answer, upstream } of readCorpus()) {
    if (input.length < 4000) inputs.push(input);
    if (answer === null) continue;
    const bytes = typeof answer === 'string' ? framesOf(answer.replaceAll('ID', '1')) : answer;
    if (bytes.length < 4000)
      answers[upstream].push(upstream === 'http2' ? Buffer.concat([framesOf('settings'), bytes]) : bytes);
  }
  return { inputs, answers };
}

// Half of them as they are on one of both sides: else hardly anything would get as far as the other.
function mutate(bytes: Buffer, others: readonly Buffer[], random: Random): Buffer {
  let result = bytes;
  for (let times = random.below(4); times > 0; times--) {
    const at = random.below(result.length + 1);
    const other = random.pick(others);
    const otherAt = random.below(other.length + 1);
    const inserted = random.pick([
      random.bytes(random.below(4)),
      other.subarray(otherAt, otherAt + random.below(80)),
      result.subarray(at, at + random.below(40)),
      Buffer.alloc(0),
    ]);
    const removed = random.below(2) === 0 ? 0 : random.below(10);
    result = Buffer.concat([result.subarray(0, at), inserted, result.subarray(at + removed)]);
  }
  return result;
}

interface PlannedVisit {
  readonly bytes: Buffer;
  /** Where the bytes are cut in two. */
  readonly cut: number;
  /** 0 closes one side first, 1 resets. */
  readonly ending: number;
}

class Fuzzer {
  answered = 0;
  /** The last round's. */
  visits: readonly PlannedVisit[] = [];
  readonly upstreams: Readonly<Record<HttpVersion, BlindUpstream>> = {
    http1: new BlindUpstream(usualHttp1),
    http2: new BlindUpstream(usualHttp2),
  };
  private readonly random: Random;
  private readonly seeds = readSeeds();
  private proxy: TestProxy | null = null;
  private readonly context: TestContext;

  constructor(context: TestContext, seed: number) {
    this.context = context;
    this.random = new Random(seed);
  }

  async start(): Promise<void> {
    const { http1, http2 } = this.upstreams;
    const ports = [await http1.listen(), await http2.listen()] as const;
    this.context.after(() => {
      http1.close();
      http2.close();
    });
    this.proxy = await startTestProxy(this.context, () => ({
      listeners: [
        listener('http1', httpManager([routeTo('one')], { manager })),
        listener('http2', httpManager([routeTo('two')], { manager })),
      ],
      clusters: [cluster('one', [ports[0]]), cluster('two', [ports[1]], speaksHttp2)],
    }));
  }

  /** Several connections at once, each with an input of its own, cut in places of its own. */
  async round(): Promise<void> {
    const { random, seeds, proxy } = this;
    assert.ok(proxy);
    const version = random.pick(['http1', 'http2'] as const);
    const answers = seeds.answers[version];
    if (random.below(3) === 0) this.upstreams[version].beUsual();
    else this.upstreams[version].answer = mutate(random.pick(answers), answers, random);
    const port = proxy.port(version);
    // Chosen before anything runs, so that a seed chooses the same again.
    this.visits = Array.from({ length: concurrency }, (): PlannedVisit => {
      const bytes = mutate(random.pick(seeds.inputs), seeds.inputs, random);
      return { bytes, cut: random.below(bytes.length + 1), ending: random.below(4) };
    });
    await Promise.all(this.visits.map((planned) => this.visit(port, planned)));
  }

  private async visit(port: number, { bytes, cut, ending }: PlannedVisit): Promise<void> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    let hasAnswer = false;
    socket.on('error', () => {});
    socket.on('data', () => {
      hasAnswer = true;
    });
    socket.write(bytes.subarray(0, cut));
    await once(socket, 'connect');
    await nextTurn();
    if (!socket.destroyed) socket.write(bytes.subarray(cut));
    if (ending === 0) socket.end();
    for (let turn = 0; turn < 40 && !hasAnswer && !socket.destroyed; turn++) await nextTurn();
    if (ending === 1) socket.resetAndDestroy();
    else socket.destroy();
    if (hasAnswer) this.answered++;
  }

  /** All have gone: nothing is counted as open any more, and the proxy serves. */
  async check(): Promise<void> {
    const { proxy, upstreams } = this;
    assert.ok(proxy);
    for (const upstream of Object.values(upstreams)) upstream.beUsual();
    const cutAll = () => {
      for (const upstream of Object.values(upstreams)) upstream.cut();
    };
    const left = () => openGauges(proxy).join(', ');
    // Again and again: a connection that was on its way comes late.
    const isOver = () => {
      cutAll();
      return left() === '';
    };
    await until('every gauge of what is open is back at 0', isOver, 10_000).catch(() => assert.equal(left(), ''));
    for (const version of ['http1', 'http2'] as const) {
      const { status, text } = await fetchOnce(this.context, proxy.port(version), '/');
      assert.deepEqual([status, text], [200, 'ok'], version);
    }
    cutAll();
  }
}

function openGauges(proxy: TestProxy): string[] {
  return listMetrics(proxy.running.metrics)
    .filter(
      ({ name, metric }) =>
        /(?:cx|rq|pending|retry|streams?)_active$/.test(name) && 'value' in metric && metric.value !== 0,
    )
    .map(({ name, metric }) => `${name} ${'value' in metric ? metric.value : ''}`);
}

/** Runs at least that many inputs; fails at the first batch that breaks an invariant. */
export async function fuzzProxy(context: TestContext, inputs: number, seed: number): Promise<ProxyResult> {
  const fuzzer = new Fuzzer(context, seed);
  await fuzzer.start();
  let done = 0;
  while (done < inputs) {
    for (let count = 0; count < inputsBetweenChecks && done < inputs; count += concurrency) {
      await fuzzer.round();
      done += concurrency;
    }
    await fuzzer.check();
  }
  const forwarded = fuzzer.upstreams.http1.asked + fuzzer.upstreams.http2.asked;
  return { inputs: done, answered: fuzzer.answered, forwarded };
}
