// The open streams of a connection, by identifier: a ring instead of a map, since identifiers rise by two.

import { Http2Stream } from './stream.ts';

const initialSlots = 64;
/** Past this, streams that outlive thousands of others are kept aside instead. */
const maxSlots = 4096;

export class StreamTable {
  size = 0;
  private aside: Map<number, Http2Stream> | null = null;
  private slots: (Http2Stream | null)[] = new Array<Http2Stream | null>(initialSlots).fill(null);

  get(id: number): Http2Stream | null {
    const stream = this.slots[(id >>> 1) & (this.slots.length - 1)] as Http2Stream | null;
    if (stream !== null && stream.id === id) return stream;
    return this.aside === null ? null : (this.aside.get(id) ?? null);
  }

  add(id: number, sendWindow: number, receiveWindow: number, bornTick = 0): Http2Stream {
    const stream = new Http2Stream(id, sendWindow, receiveWindow, bornTick);
    this.size++;
    while (this.isCrowded(id)) this.grow();
    const slot = (id >>> 1) & (this.slots.length - 1);
    const older = this.slots[slot] as Http2Stream | null;
    if (older !== null) {
      this.aside ??= new Map();
      this.aside.set(older.id, older);
    }
    this.slots[slot] = stream;
    return stream;
  }

  // One that outlives thousands of others is kept aside; only many of them are worth a larger ring.
  private isCrowded(id: number): boolean {
    const { length } = this.slots;
    return this.slots[(id >>> 1) & (length - 1)] !== null && this.size * 2 > length && length < maxSlots;
  }

  remove(stream: Http2Stream): void {
    const slot = (stream.id >>> 1) & (this.slots.length - 1);
    if (this.slots[slot] === stream) this.slots[slot] = null;
    else if (this.aside?.delete(stream.id) !== true) return;
    this.size--;
  }

  /** Open streams, in no order; a copy, so that they may be closed on the way. */
  all(): Http2Stream[] {
    const ringed = this.slots.filter((stream) => stream !== null);
    return this.aside === null ? ringed : [...ringed, ...this.aside.values()];
  }

  // An older stream stands where a new one belongs: twice the slots.
  private grow(): void {
    const old = this.slots;
    this.slots = new Array<Http2Stream | null>(old.length * 2).fill(null);
    for (const stream of old) if (stream !== null) this.slots[(stream.id >>> 1) & (this.slots.length - 1)] = stream;
  }
}
