import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PausedClock } from '@weft/lib/clock';
import type { Issue } from '@weft/lib/issue';
import { parseTable, routeName, routesOnly, to } from '../../../test/kit/routes.ts';
import { RouteTableSet } from './route-table-set.ts';

class FakeClusters {
  readonly warm: Set<string> = new Set(['a']);
  private readonly callbacks: Set<(name: string) => void> = new Set();

  has(): boolean {
    return true;
  }

  isServing(name: string): boolean {
    return this.warm.has(name);
  }

  onWarm(callback: (name: string) => void): () => void {
    this.callbacks.add(callback);
    return () => this.callbacks.delete(callback);
  }

  warmUp(name: string): void {
    this.warm.add(name);
    for (const callback of this.callbacks) callback(name);
  }
}

function setUp() {
  const clock = new PausedClock();
  const clusters = new FakeClusters();
  const hasCluster = (name: string): boolean => name !== 'unknown';
  const set = new RouteTableSet({ clock, clusters, hasCluster, compileOverride: () => null });
  const put = (...targets: string[]): void => {
    const change = set.prepare(
      new Map([['main', parseTable(routesOnly(targets.map((name) => to(name, { prefix: '/' }))))]]),
      [],
      'v',
    );
    assert.deepEqual(change.issues, []);
    change.commit();
  };
  const serving = (): string | null => {
    const table = set.get('main');
    return table === null ? null : routeName(table, {});
  };
  return { clock, clusters, set, put, serving };
}

test('a table whose clusters are warm goes live at once', () => {
  const { set, put, serving } = setUp();
  const told: string[] = [];
  set.onRoutable((name) => told.push(name));
  assert.equal(set.get('main'), null);
  put('a');
  assert.equal(serving(), 'a');
  assert.deepEqual([set.isRoutable('main'), told], [true, ['main']]);
});

test('the old table serves until the clusters of the new one are warm', () => {
  const { clusters, put, serving } = setUp();
  put('a');
  put('b', 'c');
  assert.equal(serving(), 'a');
  clusters.warmUp('c');
  assert.equal(serving(), 'a');
  clusters.warmUp('b');
  assert.equal(serving(), 'b');
});

test('waits for a bounded time only', () => {
  const { clock, put, serving } = setUp();
  put('a');
  put('never');
  clock.advance(14_900);
  assert.equal(serving(), 'a');
  clock.advance(200);
  assert.equal(serving(), 'never');
});

test('does not wait for a cluster that is missing already', () => {
  const { clock, put, serving } = setUp();
  put('gone');
  clock.advance(15_100);
  put('a', 'gone');
  assert.equal(serving(), 'a');
});

test('the latest of several waiting tables wins', () => {
  const { clusters, put, serving } = setUp();
  put('a');
  put('b');
  put('c');
  clusters.warmUp('b');
  assert.equal(serving(), 'a');
  clusters.warmUp('c');
  assert.equal(serving(), 'c');
});

test('the first table serves while its clusters warm, and is routable after', () => {
  const { clusters, set, put, serving } = setUp();
  put('b');
  assert.equal(serving(), 'b');
  assert.equal(set.isRoutable('main'), false);
  clusters.warmUp('b');
  assert.equal(set.isRoutable('main'), true);
});

test('a reference follows its name through coming, changing and going', () => {
  const { set, put } = setUp();
  const reference = set.reference('main');
  assert.deepEqual([reference.isReady, reference.current()], [false, null]);
  put('a');
  assert.deepEqual([reference.isReady, reference.current()], [true, set.get('main')]);
  set.prepare(new Map(), ['main'], 'v').commit();
  assert.deepEqual([reference.isReady, reference.current()], [false, null]);
});

test('errors keep everything as it was', () => {
  const { set, put, serving } = setUp();
  put('a');
  const change = set.prepare(new Map([['main', parseTable(routesOnly([{ match: { prefix: '/' } }]))]]), [], 'v');
  assert.deepEqual(
    change.issues.map(({ code, path }) => [code, path]),
    [['WEFT0335', 'routes["main"].virtual_hosts[0].routes[0]']],
  );
  assert.equal(serving(), 'a');
});

test('the same table again changes nothing', () => {
  const { set, put } = setUp();
  put('a');
  const before = set.get('main');
  put('a');
  assert.equal(set.get('main'), before);
});

test('a table inside a listener is compiled with it', () => {
  const { set } = setUp();
  const issues: Issue[] = [];
  const reference = set.inline(parseTable(routesOnly([to('a')])), issues, 'route_config');
  assert.equal(reference?.isReady, true);
  assert.equal(reference?.current()?.virtualHosts.length, 1);
  assert.equal(set.inline(parseTable(routesOnly([{ match: { prefix: '/' } }])), issues, 'route_config'), null);
  assert.deepEqual(
    issues.map((issue) => issue.path),
    ['route_config.virtual_hosts[0].routes[0]'],
  );
});

test('the clusters of a table inside its listener must exist, unless it says otherwise', () => {
  const { set } = setUp();
  const table = routesOnly([to('unknown', { prefix: '/' })]);
  const findingsOf = (config: object): string[] => {
    const issues: Issue[] = [];
    set.inline(parseTable(config), issues, 'route_config');
    return issues.map((issue) => `${issue.code} ${issue.path}`);
  };
  assert.deepEqual(findingsOf(table), ['WEFT0342 route_config.virtual_hosts[0].routes[0].route.cluster']);
  assert.deepEqual(findingsOf({ ...table, validate_clusters: false }), []);
  const byName = set.prepare(new Map([['main', parseTable(table)]]), [], 'v');
  assert.deepEqual(byName.issues, []);
});

test('updates that come one after the other put none of them off for longer than one may wait', () => {
  const { clock, put, serving } = setUp();
  put('a');
  for (let second = 0; second < 14; second += 2) {
    put(`missing${second}`);
    clock.advance(2000);
    assert.equal(serving(), 'a');
  }
  put('missing');
  clock.advance(1100);
  assert.equal(serving(), 'missing');
});
