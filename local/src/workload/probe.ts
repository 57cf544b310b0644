// Readiness of a process: asked often until it is first ready, then at its period; several failures in a row make it unready.
import { get } from 'node:http';
import { connect } from 'node:net';
import type { ProcessReadiness } from '@weft/api/resource/process';
import type { WorkloadPort } from './workload.ts';

const startPeriodMs = 100;

/** One way to ask. */
export interface ProbeTarget {
  readonly port: number;
  /** Path of an HTTP probe; null for a TCP connect. */
  readonly path: string | null;
}

/** What is asked, or null when nothing can be: a process without ports is ready as soon as it runs. */
export function probeTarget(readiness: ProcessReadiness | null, ports: readonly WorkloadPort[]): ProbeTarget | null {
  const [first] = ports;
  const { httpGet, tcpSocket } = readiness ?? {};
  const named = httpGet?.port ?? tcpSocket?.port;
  // A probe may name the service's port or the one the process listens on.
  const port = ports.find((candidate) => candidate.servicePort === named)?.targetPort ?? named ?? first?.targetPort;
  if (port === undefined) return null;
  return { port, path: httpGet?.path ?? null };
}

/** Whether the target answers: an HTTP status from 200 to 399, or an accepted connection. */
export function probeOnce(target: ProbeTarget, timeoutMs: number): Promise<boolean> {
  return target.path === null ? probeTcp(target.port, timeoutMs) : probeHttp(target.port, target.path, timeoutMs);
}

function probeHttp(port: number, path: string, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const call = get({ host: '127.0.0.1', port, path, agent: false, timeout: timeoutMs }, (answer) => {
      const status = answer.statusCode ?? 0;
      answer.destroy();
      resolve(status >= 200 && status < 400);
    });
    call.on('timeout', () => call.destroy());
    call.on('error', () => resolve(false));
    call.on('close', () => resolve(false));
  });
}

function probeTcp(port: number, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, timeout: timeoutMs });
    socket.once('connect', () => {
      resolve(true);
      // A server that speaks first must not be reset while it does: what it says is read, and the end is orderly.
      socket.resume();
      socket.end();
    });
    socket.once('timeout', () => socket.destroy());
    socket.on('error', () => {});
    socket.once('close', () => resolve(false));
  });
}

/** Watches one running process. */
export class Probe {
  private readonly target: ProbeTarget | null;
  private readonly readiness: ProcessReadiness;
  /** Without a check of its own a program is asked only until it listens. */
  private readonly isOnlyAtStart: boolean;
  private readonly onReady: (ready: boolean) => void;
  private timer: NodeJS.Timeout | null = null;
  private run = 0;
  private failures = 0;
  private ready = false;

  constructor(target: ProbeTarget | null, readiness: ProcessReadiness | null, onReady: (ready: boolean) => void) {
    this.target = target;
    this.readiness = readiness ?? {};
    this.isOnlyAtStart = readiness === null;
    this.onReady = onReady;
  }

  /** The process was started (again). */
  start(): void {
    this.stop();
    if (this.target === null) this.settle(true);
    else this.schedule((this.readiness.initialDelaySeconds ?? 0) * 1000, this.run);
  }

  /** The process is gone; tells unready if it was ready. */
  stop(): void {
    this.run++;
    this.failures = 0;
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.settle(false);
  }

  private schedule(delayMs: number, run: number): void {
    this.timer = setTimeout(() => void this.ask(run), delayMs);
  }

  private async ask(run: number): Promise<void> {
    if (this.target === null) return;
    const ok = await probeOnce(this.target, (this.readiness.timeoutSeconds ?? 1) * 1000);
    if (run !== this.run) return;
    this.failures = ok ? 0 : this.failures + 1;
    if (ok) this.settle(true);
    else if (this.failures >= (this.readiness.failureThreshold ?? 3)) this.settle(false);
    if (ok && this.isOnlyAtStart) return;
    this.schedule(this.ready ? (this.readiness.periodSeconds ?? 5) * 1000 : startPeriodMs, run);
  }

  private settle(ready: boolean): void {
    if (this.ready === ready) return;
    this.ready = ready;
    this.onReady(ready);
  }
}
