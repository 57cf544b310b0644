// Notices that the mesh has got another root, as when the folder of its certificate authority was removed: a proxy's certificate is
// in date then, but nobody takes it, and the proxy does not trust the control plane that could give it another.
import { readFileSync } from 'node:fs';
import type { Clock, Timer } from '@weft/lib/clock';

const pollMs = 20_000;

/** Watches the file with the roots of the mesh while one proxy runs. */
export class RootWatch {
  private readonly path: string;
  private readonly clock: Clock;
  private readonly onChanged: () => void;
  private known: readonly string[] = [];
  private timer: Timer | null = null;

  constructor(path: string, clock: Clock, onChanged: () => void) {
    this.path = path;
    this.clock = clock;
    this.onChanged = onChanged;
  }

  /** A proxy was started, with the roots that are in the file now. */
  start(): void {
    this.stop();
    this.known = readRoots(this.path);
    this.timer = this.clock.start(pollMs, onPoll, this);
  }

  stop(): void {
    this.timer?.stop();
    this.timer = null;
  }

  /** Called by the timer. */
  check(): void {
    this.timer = this.clock.start(pollMs, onPoll, this);
    const now = readRoots(this.path);
    if (now.length === 0) return;
    const isOther = this.known.length > 0 && !now.some((root) => this.known.includes(root));
    this.known = now;
    if (isOther) this.onChanged();
  }
}

function onPoll(watch: RootWatch): void {
  watch.check();
}

/** None while the file is away. */
function readRoots(path: string): readonly string[] {
  try {
    return readFileSync(path, 'latin1').match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  } catch {
    return [];
  }
}
