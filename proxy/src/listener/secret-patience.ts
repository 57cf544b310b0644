// How long listeners wait for certificates and keys that are to come by SDS. As Envoy: after that they take connections all the same, and
// refuse the handshakes of chains that miss theirs. Not where an older version serves: that goes on until the newer one has all.

import type { Clock, Timer } from '@weft/lib/clock';
import type { Log } from '@weft/lib/log';
import { type CompiledListener, waitingTls } from './compile-listener.ts';

export class SecretPatience {
  private readonly clock: Clock;
  private readonly onOver: () => void;
  private readonly timers: Map<string, Timer> = new Map();
  private readonly over: Set<string> = new Set();

  /** `onOver`: somebody need not wait any more. */
  constructor(clock: Clock, onOver: () => void) {
    this.clock = clock;
    this.onOver = onOver;
  }

  /** Begins with the first version of a listener that waits; later ones have what is left. */
  begin(compiled: CompiledListener, log: Log | null): void {
    const { name } = compiled;
    const waiting = waitingTls(compiled);
    if (waiting.length === 0 || this.timers.has(name) || this.over.has(name)) return;
    const patiences = waiting.map(({ patienceMs }) => patienceMs);
    if (patiences.includes(0)) return;
    const afterMs = Math.max(...patiences);
    const onDue = (): void => {
      this.timers.delete(name);
      this.over.add(name);
      const secrets = [...new Set(waiting.filter(({ isReady }) => !isReady).flatMap(({ secretNames }) => secretNames))];
      const message =
        'A listener goes live without secrets that did not come in time; handshakes that need them are refused';
      if (secrets.length > 0) log?.warn(message, { listener: name, secret: secrets.join(', '), delayMs: afterMs });
      this.onOver();
    };
    this.timers.set(name, this.clock.start(afterMs, onDue, undefined));
  }

  isOver(name: string): boolean {
    return this.over.has(name);
  }

  /** The listener has all its secrets, or is gone. */
  end(name: string): void {
    this.timers.get(name)?.stop();
    this.timers.delete(name);
    this.over.delete(name);
  }
}
