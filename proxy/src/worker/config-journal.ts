// What the control plane has sent and is in force, encoded, so that a worker can start from it. The bootstrap is not in it.

import { kindSpecs } from '../xds/resource-kind.ts';
import type { ResourceKind } from '../xds/target.ts';
import type { Change } from './messages.ts';

/** A resource, encoded. */
export interface Entry {
  readonly bytes: Uint8Array;
  readonly version: string;
}

export class ConfigJournal {
  private readonly kinds: Map<ResourceKind, Map<string, Entry>> = new Map();
  private readonly missing: Set<string> = new Set();

  record({ kind, set, removed, version }: Change): void {
    const entries = this.kinds.get(kind) ?? new Map<string, Entry>();
    this.kinds.set(kind, entries);
    for (const name of removed) entries.delete(name);
    for (const [name, bytes] of set) {
      entries.set(name, { bytes, version });
      if (kind === 'route') this.missing.delete(name);
    }
  }

  /** Endpoints of clusters that are gone lead nowhere. */
  keepEndpoints(wanted: ReadonlySet<string>): void {
    const entries = this.kinds.get('endpoint');
    for (const name of entries?.keys() ?? []) if (!wanted.has(name)) entries?.delete(name);
  }

  recordMissing(route: string): void {
    this.missing.add(route);
  }

  get missingRoutes(): string[] {
    return [...this.missing];
  }

  /**
   * The changes that lead here: what is pointed at before what points. `serving` are versions of listeners that serve while the newest
   * one waits for something: they come first, and with their routes, or nothing would serve.
   */
  changes(serving: ReadonlyMap<string, Entry> = new Map()): Change[] {
    const newest = this.kinds.get('listener') ?? new Map<string, Entry>();
    const waiting = new Map([...newest].filter(([name]) => serving.has(name)));
    const changes = kindSpecs.flatMap(({ kind }) => {
      const entries = this.kinds.get(kind) ?? new Map<string, Entry>();
      if (kind !== 'listener') return changesTo(kind, entries);
      // Another listener may have been let have the address that one of them is to leave.
      const leaving = [...waiting.keys()];
      return changesTo(kind, new Map([...entries, ...serving])).map((change) => ({ ...change, leaving }));
    });
    return [...changes, ...changesTo('listener', waiting)];
  }

  /** The listener as it was sent last; null when it was not. */
  listener(name: string): Entry | null {
    return this.kinds.get('listener')?.get(name) ?? null;
  }
}

function changesTo(kind: ResourceKind, entries: ReadonlyMap<string, Entry>): Change[] {
  const byVersion: Map<string, [string, Uint8Array][]> = new Map();
  for (const [name, { bytes, version }] of entries) {
    byVersion.set(version, [...(byVersion.get(version) ?? []), [name, bytes]]);
  }
  return [...byVersion].map(([version, set]): Change => ({ kind, set, removed: [], version }));
}
