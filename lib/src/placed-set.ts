// A set whose members know their own place in it. Unlike `Set` it makes no garbage as members come and go: a `Set` is rebuilt again and
// again then, and each outlived table keeps its successor alive until a full collection, and with it every member of that time.

/** A member of at most one `PlacedSet`; only the set writes `place`, which starts as -1. */
export interface Placed {
  place: number;
}

/** In no order. Adding and deleting cost the same however many there are. */
export class PlacedSet<T extends Placed> {
  private readonly members: T[] = [];

  get size(): number {
    return this.members.length;
  }

  /** `member` must be in no set. */
  add(member: T): void {
    member.place = this.members.push(member) - 1;
  }

  /** False when it is not in this set. */
  delete(member: T): boolean {
    const { members } = this;
    const { place } = member;
    if (place < 0 || members[place] !== member) return false;
    const last = members.pop() as T;
    if (last !== member) {
      members[place] = last;
      last.place = place;
    }
    member.place = -1;
    return true;
  }

  /** A copy, so that members may leave on the way. */
  all(): T[] {
    return this.members.slice();
  }
}
