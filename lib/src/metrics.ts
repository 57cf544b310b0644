// Counters, gauges and histograms with Envoy's names and Prometheus tags. Recording is a field update; text is made when asked for.

/** Only goes up. */
export class Counter {
  value = 0;

  inc(): void {
    this.value++;
  }

  add(amount: number): void {
    this.value += amount;
  }
}

/** Goes up and down. */
export class Gauge {
  value = 0;

  inc(): void {
    this.value++;
  }

  dec(): void {
    this.value--;
  }

  add(amount: number): void {
    this.value += amount;
  }

  set(value: number): void {
    this.value = value;
  }
}

/** Upper bounds in the unit recorded (milliseconds for times): Envoy's default buckets. One layout everywhere, so histograms merge. */
export const histogramBounds: readonly number[] = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000, 600000, 1800000, 3600000,
];

/** Counts per bucket; the last bucket is +Inf. */
export class Histogram {
  readonly counts: number[] = new Array<number>(histogramBounds.length + 1).fill(0);
  sum = 0;
  count = 0;

  record(value: number): void {
    let bucket = 0;
    while (bucket < histogramBounds.length && value > (histogramBounds[bucket] as number)) bucket++;
    (this.counts[bucket] as number)++;
    this.sum += value;
    this.count++;
  }
}

export type Metric = Counter | Gauge | Histogram;

/** Names the scope: `cluster` + tag `envoy_cluster_name` = `web` gives `cluster.web.upstream_rq_total` and `envoy_cluster_upstream_rq_total{envoy_cluster_name="web"}`. */
export interface ScopeName {
  /** Envoy's prefix, such as `cluster`, `http`, `listener`, `listener_manager`. */
  readonly prefix: string;
  /** Prometheus label that carries `value`; without it the value is left out of both forms. */
  readonly tag?: string;
  readonly value?: string;
}

/** The metrics of one cluster, listener, connection manager ...; made at config time, held by whoever records. */
export class Scope {
  readonly name: ScopeName;
  readonly metrics: Map<string, Metric> = new Map();

  constructor(name: ScopeName) {
    this.name = name;
  }

  /** The counter of that name, made on first use. */
  counter(name: string): Counter {
    return this.obtain(name, Counter);
  }

  gauge(name: string): Gauge {
    return this.obtain(name, Gauge);
  }

  histogram(name: string): Histogram {
    return this.obtain(name, Histogram);
  }

  private obtain<T extends Metric>(name: string, kind: new () => T): T {
    const existing = this.metrics.get(name);
    if (existing instanceof kind) return existing;
    const made = new kind();
    this.metrics.set(name, made);
    return made;
  }
}

/** All scopes of the process. Asking for the same scope again gives the same metrics, so a config update keeps its counts. */
export class MetricsRegistry {
  private readonly scopes: Map<string, Scope> = new Map();

  scope(name: ScopeName): Scope {
    const key = keyOf(name);
    const existing = this.scopes.get(key);
    if (existing !== undefined) return existing;
    const made = new Scope(name);
    this.scopes.set(key, made);
    return made;
  }

  has(name: ScopeName): boolean {
    return this.scopes.has(keyOf(name));
  }

  /** Forgets a scope whose cluster or listener was removed; one of the same name that was made since stays. */
  remove(scope: Scope): void {
    const key = keyOf(scope.name);
    if (this.scopes.get(key) === scope) this.scopes.delete(key);
  }

  all(): IterableIterator<Scope> {
    return this.scopes.values();
  }
}

/** What a part of the configuration is compiled with: it gets scopes, and may be forgotten with them. */
export type ScopeSource = Pick<MetricsRegistry, 'scope' | 'remove'>;

/** Remembers what was asked for: the scopes that are some part's own by their value, not those of all. */
export class ScopeRecorder implements ScopeSource {
  readonly used: Set<Scope> = new Set();
  private readonly source: ScopeSource;

  constructor(source: ScopeSource) {
    this.source = source;
  }

  scope(name: ScopeName): Scope {
    const scope = this.source.scope(name);
    if (name.value !== undefined) this.used.add(scope);
    return scope;
  }

  remove(scope: Scope): void {
    this.source.remove(scope);
  }
}

function keyOf({ prefix, value = '' }: ScopeName): string {
  return `${prefix}\0${value}`;
}
