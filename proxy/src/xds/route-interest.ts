// Which route configurations are wanted: those of static listeners, those of dynamic ones, and for a while those that were.
import type { envoy } from '@weft/api/xds/types';
import type { Clock, Timer } from '@weft/lib/clock';
import { routeNamesOf } from './route-names.ts';

type Listener = envoy.config.listener.v3.Listener;

/** Routes that a replaced listener used stay until its connections have drained. */
const retentionMs = 600_000;

/** Calls back with the names wanted and the initial fetch timeout of each, whenever they may have changed. */
export class RouteInterest {
  private readonly clock: Clock;
  /** Whether a listener still serves by that route: its successor may wait for something that does not come. */
  private readonly isInUse: (name: string) => boolean;
  private readonly onChange: (names: ReadonlySet<string>, timeoutOf: (name: string) => number) => void;
  private fixed: ReadonlyMap<string, number> = new Map();
  private dynamic: ReadonlyMap<string, number> = new Map();
  private wanted: ReadonlySet<string> = new Set();
  private readonly retained: Map<string, Timer> = new Map();

  constructor(
    clock: Clock,
    isInUse: (name: string) => boolean,
    onChange: (names: ReadonlySet<string>, timeoutOf: (name: string) => number) => void,
  ) {
    this.clock = clock;
    this.isInUse = isInUse;
    this.onChange = onChange;
  }

  /** Names that are wanted whatever dynamic listeners say, with their timeouts in milliseconds. */
  setFixed(names: ReadonlyMap<string, number>): void {
    this.fixed = names;
    this.update(null);
  }

  /** All listeners that came by xDS. */
  setListeners(listeners: Iterable<Listener>): void {
    this.dynamic = routeNamesOf(listeners);
    this.update(null);
  }

  /** `expired` has been kept long enough. */
  private update(expired: string | null): void {
    const needed = new Map([...this.fixed, ...this.dynamic]);
    for (const name of this.wanted) {
      if (name !== expired && !needed.has(name) && !this.retained.has(name)) this.retain(name);
    }
    for (const name of needed.keys()) this.release(name);
    this.wanted = new Set([...needed.keys(), ...this.retained.keys()]);
    this.onChange(this.wanted, (name) => needed.get(name) ?? 0);
  }

  private retain(name: string): void {
    const onDue = (): void => {
      this.retained.delete(name);
      if (this.isInUse(name)) this.retain(name);
      else this.update(name);
    };
    this.retained.set(name, this.clock.start(retentionMs, onDue, undefined));
  }

  private release(name: string): void {
    this.retained.get(name)?.stop();
    this.retained.delete(name);
  }

  /** Stops its timers. */
  dispose(): void {
    for (const timer of this.retained.values()) timer.stop();
    this.retained.clear();
  }
}
