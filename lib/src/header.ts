// Headers: an ordered list decoded and validated once, shared between messages, and seen through a copy-on-write view.
//
// A `HeaderBlock` never changes, so a decoder may hand the same block to every message that carried the same bytes.
// `Headers` is what filters see: the block, less what they removed, plus what they added.

/** What a decoder made of one header section; values are latin1 strings without surrounding white space. */
export class HeaderBlock {
  /** Lower-case names, in order of arrival. */
  readonly names: readonly string[];
  readonly values: readonly string[];
  /** Names in the case they arrived in; the same array as `names` where the protocol has no case. */
  readonly rawNames: readonly string[];
  /** What a codec derived from the block (framing, connection options); kept here so that a shared block derives it once. */
  facts: unknown = null;

  constructor(names: readonly string[], values: readonly string[], rawNames: readonly string[] = names) {
    this.names = names;
    this.values = values;
    this.rawNames = rawNames;
  }
}

export const emptyHeaderBlock: HeaderBlock = new HeaderBlock([], []);

const maskBits = 31;

/**
 * A message's headers. Reading looks through to the block; `set`, `add` and `remove` never touch it.
 * Iterate with `for (let i = 0; i < h.slots; i++) if (h.present(i)) ... h.nameAt(i) ...`: removed slots stay, marked absent.
 */
export class Headers {
  private block: HeaderBlock;
  private removed = 0;
  /** Name, value, name, value ... of what was added; beyond `addedCount` pairs it is spare room. */
  private added: string[] | null = null;
  private addedCount = 0;

  constructor(block: HeaderBlock) {
    this.block = block;
  }

  /** From `[name, value, ...]`, for replies the mesh makes itself and for tests; names keep their case as raw names. */
  static of(...pairs: string[]): Headers {
    const raw: string[] = [];
    const values: string[] = [];
    for (let i = 0; i + 1 < pairs.length; i += 2) {
      raw.push(pairs[i] as string);
      values.push(pairs[i + 1] as string);
    }
    return new Headers(
      new HeaderBlock(
        raw.map((name) => name.toLowerCase()),
        values,
        raw,
      ),
    );
  }

  /** The unchanged block when nothing was removed or added, else null: encoders may then reuse cached bytes. */
  get pristine(): HeaderBlock | null {
    return this.removed === 0 && this.addedCount === 0 ? this.block : null;
  }

  /** The decoded block below the changes. */
  get base(): HeaderBlock {
    return this.block;
  }

  /** One bit for each of the block's first 31 slots, set where it was removed; later slots are never marked. */
  get removedMask(): number {
    return this.removed;
  }

  /** Number of slots, present or not. */
  get slots(): number {
    return this.block.names.length + this.addedCount;
  }

  present(slot: number): boolean {
    return slot >= maskBits || (this.removed & (1 << slot)) === 0;
  }

  nameAt(slot: number): string {
    const size = this.block.names.length;
    return (slot < size ? this.block.names[slot] : this.added?.[2 * (slot - size)]) as string;
  }

  /** The name as it should be written where case is kept. */
  rawNameAt(slot: number): string {
    const size = this.block.names.length;
    return (slot < size ? this.block.rawNames[slot] : this.added?.[2 * (slot - size)]) as string;
  }

  valueAt(slot: number): string {
    const size = this.block.names.length;
    return (slot < size ? this.block.values[slot] : this.added?.[2 * (slot - size) + 1]) as string;
  }

  /** The first value of that lower-case name. */
  get(name: string): string | undefined {
    const slot = this.find(name, 0);
    return slot < 0 ? undefined : this.valueAt(slot);
  }

  has(name: string): boolean {
    return this.find(name, 0) >= 0;
  }

  /** Every value of that name, in order, each apart. */
  getAll(name: string): string[] {
    const found: string[] = [];
    for (let slot = this.find(name, 0); slot >= 0; slot = this.find(name, slot + 1)) found.push(this.valueAt(slot));
    return found;
  }

  /** The slot of that lower-case name at or after `from`, or -1. */
  find(name: string, from: number): number {
    const { names } = this.block;
    for (let i = from; i < names.length; i++) {
      if (names[i] === name && this.present(i)) return i;
    }
    const { added, addedCount } = this;
    if (added === null) return -1;
    for (let i = Math.max(0, from - names.length); i < addedCount; i++) {
      if (added[2 * i] === name) return names.length + i;
    }
    return -1;
  }

  /** Appends, keeping others of that name. `name` is lower case. */
  add(name: string, value: string): void {
    const at = 2 * this.addedCount++;
    if (this.added === null) {
      // Room for what a proxy usually adds; an array that starts with one element grows to seventeen with the second.
      this.added = [name, value, '', '', '', '', '', ''];
      return;
    }
    if (at >= this.added.length) this.added.push(name, value);
    else {
      this.added[at] = name;
      this.added[at + 1] = value;
    }
  }

  /** Replaces every header of that lower-case name by one. */
  set(name: string, value: string): void {
    this.remove(name);
    this.add(name, value);
  }

  /** Removes every header of that lower-case name; true when there was one. */
  remove(name: string): boolean {
    let slot = this.find(name, 0);
    if (slot < 0) return false;
    // From the start each time: removing beyond the mask renumbers the slots.
    for (; slot >= 0; slot = this.find(name, 0)) this.removeAt(slot);
    return true;
  }

  /** Removes every header whose lower-case name passes; returns how many. */
  removeWhere(passes: (name: string) => boolean): number {
    let count = 0;
    for (let slot = this.slots - 1; slot >= 0; slot--) {
      if (!this.present(slot) || !passes(this.nameAt(slot))) continue;
      this.removeAt(slot);
      count++;
      // Removing beyond the mask renumbers: what was above may come again, nothing below is left out.
      slot = Math.min(slot, this.slots);
    }
    return count;
  }

  private removeAt(slot: number): void {
    const size = this.block.names.length;
    if (slot >= size) {
      this.added?.splice(2 * (slot - size), 2);
      this.addedCount--;
      return;
    }
    if (slot < maskBits) {
      this.removed |= 1 << slot;
      return;
    }
    this.copyWithout(slot);
  }

  // More headers than mask bits is rare: then the view gets a block of its own.
  private copyWithout(slot: number): void {
    const names: string[] = [];
    const values: string[] = [];
    const raw: string[] = [];
    for (let i = 0; i < this.block.names.length; i++) {
      if (i === slot || !this.present(i)) continue;
      names.push(this.block.names[i] as string);
      values.push(this.block.values[i] as string);
      raw.push(this.block.rawNames[i] as string);
    }
    this.block = new HeaderBlock(names, values, raw);
    this.removed = 0;
  }

  /** A view of the same content that changes on its own (retries, mirrors). */
  clone(): Headers {
    const copy = new Headers(this.block);
    copy.removed = this.removed;
    copy.added = this.added === null ? null : this.added.slice();
    copy.addedCount = this.addedCount;
    return copy;
  }

  /** `[name, value]` pairs present, in order; for logs, tests and slow paths. */
  entries(): [string, string][] {
    const list: [string, string][] = [];
    for (let i = 0; i < this.slots; i++) if (this.present(i)) list.push([this.nameAt(i), this.valueAt(i)]);
    return list;
  }
}
