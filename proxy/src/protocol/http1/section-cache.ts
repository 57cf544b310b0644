// Header sections that came before, by their text: a process-wide cache that hands out the same validated block again.
//
// Clients and servers send the same section many times over; those that put something unique into each (a trace id, a date) would
// only fill the cache. So it is bounded, forgets by generation, and rests for a while when too few lookups find anything.

import type { HeaderBlock } from '@weft/lib/header';
import { HitRate } from '../hit-rate.ts';

const textLimit = 2048;
const generationEntries = 256;
const generationBytes = 128 * 1024;
/** A bounded map from section text to block, in two generations: an entry used again moves to the young one. */
export class SectionCache {
  private young: Map<string, HeaderBlock> = new Map();
  private old: Map<string, HeaderBlock> = new Map();
  private youngBytes = 0;
  private readonly rate = new HitRate();

  /** The block that was stored for that text; null also while the cache rests. */
  get(text: string): HeaderBlock | null {
    this.rate.onLookup();
    if (this.rate.isResting || text.length > textLimit) return null;
    const found = this.young.get(text);
    if (found !== undefined) {
      this.rate.onHit();
      return found;
    }
    const older = this.old.get(text);
    if (older === undefined) return null;
    this.rate.onHit();
    this.old.delete(text);
    this.put(text, older);
    return older;
  }

  /** Whether `put` would keep a text of that length now. */
  takes(length: number): boolean {
    return !this.rate.isResting && length <= textLimit;
  }

  /** Keeps the block. `text` must own its characters, not be a part of some larger string. */
  put(text: string, block: HeaderBlock): void {
    if (this.young.size >= generationEntries || this.youngBytes + text.length > generationBytes) {
      this.old = this.young;
      this.young = new Map();
      this.youngBytes = 0;
    }
    this.young.set(text, block);
    this.youngBytes += text.length;
  }

  /** Entries held, for tests. */
  get size(): number {
    return this.young.size + this.old.size;
  }
}

/** Shared by all decoders of the process. */
export const sectionCache: SectionCache = new SectionCache();
