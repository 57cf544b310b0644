// Whether a cache is worth asking: one that hardly ever finds anything rests for a while, as each miss leaves an entry behind.

/** Lookups between two looks at the rate. */
const period = 1024;
/** Below one hit in this many lookups the cache rests ... */
const worthOneIn = 8;
/** ... for this many periods. */
const restPeriods = 8;

export class HitRate {
  private lookups = 0;
  private hits = 0;
  private rest = 0;

  /** While this is true nothing should be looked up or stored. */
  get isResting(): boolean {
    return this.rest > 0;
  }

  /** Call once for each time that something is wanted, before looking it up. */
  onLookup(): void {
    if (++this.lookups < period) return;
    if (this.rest > 0) this.rest--;
    else if (this.hits * worthOneIn < this.lookups) this.rest = restPeriods;
    this.lookups = 0;
    this.hits = 0;
  }

  onHit(): void {
    this.hits++;
  }
}
