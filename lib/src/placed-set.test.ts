import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Placed, PlacedSet } from './placed-set.ts';

function member(): Placed {
  return { place: -1 };
}

describe('a set whose members know their place', () => {
  it('forgets exactly the member that leaves, wherever it stands', () => {
    for (const leaving of [0, 1, 2]) {
      const members = [member(), member(), member()];
      const set = new PlacedSet<Placed>();
      for (const one of members) set.add(one);
      assert.equal(set.delete(members[leaving] as Placed), true);
      assert.equal(set.size, 2);
      assert.deepEqual(new Set(set.all()), new Set(members.filter((_, at) => at !== leaving)));
    }
  });

  it('says when a member was not there', () => {
    const [stranger, resident] = [member(), member()];
    const set = new PlacedSet<Placed>();
    set.add(resident);
    assert.equal(set.delete(stranger), false);
    assert.equal(set.delete(resident), true);
    assert.equal(set.delete(resident), false);
  });

  it('takes a member again that has left', () => {
    const one = member();
    const [first, second] = [new PlacedSet<Placed>(), new PlacedSet<Placed>()];
    first.add(one);
    first.delete(one);
    second.add(one);
    assert.equal(first.delete(one), false);
    assert.deepEqual(second.all(), [one]);
  });

  it('agrees with a Set over a long random history', () => {
    let seed = 42;
    const next = (limit: number): number => {
      seed = (seed * 1_103_515_245 + 12_345) & 0x7fffffff;
      return seed % limit;
    };
    const members = Array.from({ length: 50 }, member);
    const [placed, plain] = [new PlacedSet<Placed>(), new Set<Placed>()];
    for (let step = 0; step < 5000; step++) {
      const one = members[next(50)] as Placed;
      if (plain.has(one)) {
        assert.equal(placed.delete(one), plain.delete(one));
      } else {
        placed.add(one);
        plain.add(one);
      }
      assert.equal(placed.size, plain.size);
    }
    assert.deepEqual(new Set(placed.all()), plain);
  });
});
