// What passive detection remembers of one host: failures in a row, results of the present interval, past ejections.

import type { OutlierDetector } from './outlier-detector.ts';

/** Requests of one interval. */
export class Tally {
  total = 0;
  good = 0;

  count(ok: boolean): void {
    this.total++;
    if (ok) this.good++;
  }

  /** Per cent. */
  get successRate(): number {
    return this.total === 0 ? 100 : (100 * this.good) / this.total;
  }

  reset(): void {
    this.total = 0;
    this.good = 0;
  }
}

export class OutlierState {
  isEjected = false;
  /** Ejections so far, less one for each quiet interval: each makes the next last longer. */
  ejections = 0;
  ejectedUntilMs = 0;
  /** What the host answered. */
  readonly external: Tally = new Tally();
  /** What we met on the way to it. */
  readonly local: Tally = new Tally();
  private failures5xx = 0;
  private failuresGateway = 0;
  private failuresLocal = 0;
  private readonly detector: OutlierDetector;
  /** The host it belongs to; its own business is `refreshHealth`. */
  readonly host: { healthy: boolean; refreshHealth(): void };

  constructor(detector: OutlierDetector, host: { healthy: boolean; refreshHealth(): void }) {
    this.detector = detector;
    this.host = host;
  }

  /** The host answered with that status. */
  onStatus(status: number): void {
    if (this.detector.config.isSplit) this.onLocalSuccess();
    this.external.count(status < 500);
    if (status < 500) {
      this.failures5xx = 0;
      this.failuresGateway = 0;
      return;
    }
    this.countFailure(status);
  }

  // Counters start anew when they reach their limit, whether or not the host is ejected for it. As in Envoy a limit of 0 is none.
  private countFailure(status: number): void {
    const { config } = this.detector;
    if (status >= 502 && status <= 504) {
      if (++this.failuresGateway === config.consecutiveGateway) {
        this.failuresGateway = 0;
        this.detector.onOutlier(this, 'consecutive_gateway_failure', config.enforcingGateway);
      }
    } else {
      this.failuresGateway = 0;
    }
    if (++this.failures5xx !== config.consecutive5xx) return;
    this.failures5xx = 0;
    this.detector.onOutlier(this, 'consecutive_5xx', config.enforcing5xx);
  }

  /** Connection refused, reset or timed out. Unless split from answers, it counts as the status that stands for it. */
  onLocalFailure(status: 503 | 504): void {
    const { config } = this.detector;
    if (!config.isSplit) {
      this.external.count(false);
      this.countFailure(status);
      return;
    }
    this.local.count(false);
    if (++this.failuresLocal !== config.consecutiveLocal) return;
    this.failuresLocal = 0;
    this.detector.onOutlier(this, 'consecutive_local_origin_failure', config.enforcingLocal);
  }

  /** A connection was made: says nothing of what the host will answer. */
  onConnected(): void {
    if (this.detector.config.isSplit) this.onLocalSuccess();
  }

  /** A raw connection was made: as good an answer as there will be. */
  onTcpSuccess(): void {
    if (!this.detector.config.isSplit) this.onStatus(200);
  }

  private onLocalSuccess(): void {
    this.failuresLocal = 0;
    this.local.count(true);
  }

  /** Back in service. */
  resetCounts(): void {
    this.failures5xx = 0;
    this.failuresGateway = 0;
    this.failuresLocal = 0;
  }

  /** The host is configured no more. */
  onRemoved(): void {
    this.detector.remove(this);
  }
}
