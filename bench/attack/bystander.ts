// A client that has nothing to do with the attack: asks for one path at a steady rate and notes how long each answer took.

import { Agent, get } from 'node:http';

export interface Latency {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly failed: number;
}

export class Bystander {
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 4 });
  private readonly port: number;
  private readonly path: string;
  private readonly periodMs: number;
  private readonly times: number[] = [];
  private failed = 0;
  private timer: NodeJS.Timeout | null = null;

  constructor(port: number, path: string, requestsPerSecond: number) {
    this.port = port;
    this.path = path;
    this.periodMs = 1000 / requestsPerSecond;
  }

  start(): void {
    let due = performance.now();
    this.timer = setInterval(() => {
      for (; due <= performance.now(); due += this.periodMs) this.ask(due);
    }, this.periodMs);
  }

  // From the moment it was due: a proxy that is late must not be flattered by a client that waits for it.
  private ask(dueMs: number): void {
    const request = get({ host: '127.0.0.1', port: this.port, path: this.path, agent: this.agent }, (response) => {
      response.resume().on('end', () => {
        this.times.push(performance.now() - dueMs);
        if (response.statusCode !== 200) this.failed++;
      });
    });
    request.setTimeout(5000, () => request.destroy(new Error('late')));
    request.on('error', () => this.failed++);
  }

  stop(): Latency {
    if (this.timer !== null) clearInterval(this.timer);
    this.agent.destroy();
    const sorted = this.times.toSorted((a, b) => a - b);
    const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
    return { p50Ms: at(0.5), p99Ms: at(0.99), failed: this.failed };
  }
}
