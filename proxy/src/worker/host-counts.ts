// Adds up what several workers count of the same host.

import type { HostCounts, HostCountsReport } from './worker-report.ts';

interface Sum {
  readonly counts: HostCounts;
  isEjected: boolean;
}

export class HostCountsSum {
  private readonly byHost: Map<string, Sum> = new Map();

  add(reports: readonly HostCountsReport[]): void {
    for (const { cluster, key, counts, isEjected } of reports) {
      const sum = this.obtain(cluster, key);
      sum.isEjected ||= isEjected;
      for (const name of countNames) sum.counts[name] += counts[name];
    }
  }

  /** Of a worker that is gone: what was open is so no more. */
  addEnded(reports: readonly HostCountsReport[]): void {
    this.add(
      reports.map((report) => ({
        ...report,
        isEjected: false,
        counts: { ...report.counts, cxActive: 0, rqActive: 0 },
      })),
    );
  }

  addAll(other: HostCountsSum): void {
    for (const [name, { counts, isEjected }] of other.byHost) {
      const [cluster = '', key = ''] = name.split('\0');
      this.add([{ cluster, key, counts, isEjected }]);
    }
  }

  /** Null for a host that no worker has. */
  get(cluster: string, key: string): Readonly<Sum> | null {
    return this.byHost.get(`${cluster}\0${key}`) ?? null;
  }

  private obtain(cluster: string, key: string): Sum {
    const name = `${cluster}\0${key}`;
    const known = this.byHost.get(name);
    if (known !== undefined) return known;
    const made: Sum = { counts: { ...none }, isEjected: false };
    this.byHost.set(name, made);
    return made;
  }
}

const none: HostCounts = {
  cxActive: 0,
  cxConnectFail: 0,
  cxTotal: 0,
  rqActive: 0,
  rqError: 0,
  rqSuccess: 0,
  rqTimeout: 0,
  rqTotal: 0,
};

const countNames = Object.keys(none) as readonly (keyof HostCounts)[];
