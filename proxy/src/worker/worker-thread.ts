// One worker inside its thread: a whole proxy without admin server, control plane and identity, which the main thread leads.

import type { Clock } from '@weft/lib/clock';
import { LineWriter } from '@weft/lib/line-writer';
import { Log, LogControl } from '@weft/lib/log';
import { decodeMessage } from '@weft/lib/protobuf/codec';
import type { RunningProxy, StartOptions } from '../proxy.ts';
import { applyChange } from './apply-change.ts';
import { Channel, type ChannelPort, type Handlers } from './channel.ts';
import { type IdentityParts, secretOf } from './identity-parts.ts';
import type { LogLevels, MainCalls, WorkerCalls, WorkerStart } from './messages.ts';
import { SharedCells } from './shared-cells.ts';
import { makeReport, type WorkerReport } from './worker-report.ts';
import { WorkerSockets } from './worker-sockets.ts';

const lineLimitBytes = 4 * 1024 * 1024;

export interface WorkerThreadOptions {
  readonly port: ChannelPort;
  readonly start: WorkerStart;
  readonly workers: number;
  readonly clock: Clock;
  /** The composition root, which knows how a proxy is made. */
  readonly makeProxy: (options: StartOptions) => RunningProxy;
}

export class WorkerThread {
  readonly proxy: RunningProxy;
  private readonly channel: Channel<WorkerCalls, MainCalls>;
  private readonly cells: SharedCells;
  private readonly sockets: WorkerSockets;
  private readonly control: LogControl;
  private readonly logWriter: LineWriter;
  private readonly clock: Clock;
  private toldUnready = '';

  constructor(options: WorkerThreadOptions) {
    const { start, clock } = options;
    this.clock = clock;
    this.channel = new Channel<WorkerCalls, MainCalls>(options.port, this.handlers());
    this.sockets = new WorkerSockets(this.channel);
    this.cells = new SharedCells(options.workers, start.index + 1);
    for (const cells of start.cells) this.cells.put(cells);
    this.control = new LogControl(start.levels.level);
    applyLevels(this.control, start.levels);
    this.logWriter = new LineWriter({ target: this.linesTo(''), clock, limitBytes: lineLimitBytes, batchMs: 50 });
    this.proxy = options.makeProxy({
      bootstrap: decodeMessage('envoy.config.bootstrap.v3.Bootstrap', start.bootstrap),
      configPath: start.configPath,
      log: new Log({ writer: this.logWriter, clock, control: this.control }, 'main', { worker: start.index }),
      clock,
      thread: {
        resolver: { resolve: (name, family) => this.channel.call('resolve', { name, family }) },
        sockets: this.sockets,
        openTarget: (path) => this.linesTo(path),
        shared: this.cells,
        ticketSecret: Buffer.from(start.ticketSecret),
        isFollower: true,
      },
    });
  }

  /** What came before this worker did. */
  catchUp(start: WorkerStart): void {
    this.proxy.health.isFailed = start.isHealthFailed;
    for (const parts of start.identity) this.putIdentity(parts);
    for (const change of start.changes) applyChange(this.proxy, change);
    for (const name of start.missingRoutes) this.proxy.routes.giveUp(name);
  }

  /** It serves; from now on the main thread hears when that changes. */
  started(): void {
    const { proxy } = this;
    const announce = (): void => this.announceUnready();
    proxy.listeners.onStateChange = announce;
    proxy.clusters.onWarm(announce);
    proxy.routes.onRoutable(announce);
    this.announceUnready();
    this.channel.tell('started', null);
  }

  private announceUnready(): void {
    const unready = this.proxy.unready();
    const text = JSON.stringify(unready);
    if (text === this.toldUnready) return;
    this.toldUnready = text;
    this.channel.tell('unready', unready);
  }

  private handlers(): Handlers<WorkerCalls> {
    return {
      change: (change) => {
        applyChange(this.proxy, change);
        this.announceUnready();
      },
      missingRoute: (name) => this.proxy.routes.giveUp(name),
      identity: (parts) => this.putIdentity(parts),
      cells: (cells) => this.cells.put(cells),
      levels: (levels) => applyLevels(this.control, levels),
      healthFailed: (isFailed) => {
        this.proxy.health.isFailed = isFailed;
      },
      settle: () => null,
      report: ({ withDecisions }) => makeReport(this.proxy, withDecisions),
      drain: (scope) => this.proxy.listeners.drain(scope),
      stopAccepting: (scope) => this.proxy.listeners.stopAccepting(scope),
      stop: ({ drainTimeMs }) => this.stop(drainTimeMs),
      takeOver: (request) => this.sockets.takeOver(request),
    };
  }

  private putIdentity(parts: IdentityParts): void {
    const secret = secretOf(parts, this.clock);
    if (secret === null) this.proxy.secrets.drop(parts.name);
    else this.proxy.secrets.put(secret);
  }

  private async stop(drainTimeMs: number): Promise<WorkerReport> {
    await this.proxy.stop(drainTimeMs);
    await this.logWriter.flush();
    return makeReport(this.proxy, false);
  }

  /** Lines for that path, written by the main thread. */
  private linesTo(path: string) {
    return {
      send: (batch: Buffer, done: (error: Error | null, written: number) => void): void => {
        const text = batch.toString('utf8', 0, batch.length - 1);
        this.channel.call('lines', { path, text }).then(
          (isWritten) => done(isWritten ? null : new Error('the lines were dropped'), batch.length),
          (error: Error) => done(error, 0),
        );
      },
    };
  }
}

function applyLevels(control: LogControl, { level, components }: LogLevels): void {
  control.setAll(level);
  for (const [name, own] of components) {
    control.component(name);
    control.set(name, own);
  }
}
