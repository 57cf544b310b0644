// A directory of resources: read, kept at its last good state, and watched through everything that editors do.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { type Clock, PausedClock, systemClock } from '@weft/lib/clock';
import { formatIssue } from '@weft/lib/issue';
import { type FileSnapshot, FileSource } from './file-source.ts';

let root: string;
let sources: FileSource[];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'weft-files-'));
  sources = [];
});
afterEach(() => {
  for (const source of sources) source.close();
  rmSync(root, { recursive: true, force: true });
});

const write = (name: string, text: string) => writeFileSync(join(root, name), text);
const service = (name: string, port: number | string) =>
  `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\nspec:\n  ports:\n  - port: ${port}\n`;

/** Snapshots as they come, for awaiting. */
class Feed {
  private readonly seen: FileSnapshot[] = [];
  private waiting: ((snapshot: FileSnapshot) => void) | null = null;

  readonly push = (snapshot: FileSnapshot): void => {
    if (this.waiting === null) this.seen.push(snapshot);
    else this.waiting(snapshot);
    this.waiting = null;
  };

  next(): Promise<FileSnapshot> {
    const first = this.seen.shift();
    return first === undefined ? new Promise((resolve) => (this.waiting = resolve)) : Promise.resolve(first);
  }

  /** Waits for a snapshot of which this holds: one write may be seen in two steps. */
  async until(holds: (names: string) => boolean): Promise<FileSnapshot> {
    for (;;) {
      const snapshot = await this.next();
      if (holds(names(snapshot))) return snapshot;
    }
  }
}

function openSource(
  clock: Clock,
  feed = new Feed(),
  isRecursive = false,
  ownerOf: (key: string) => string | null = () => null,
): FileSource {
  const source = new FileSource({
    directory: root,
    defaultNamespace: 'default',
    clock,
    onChange: feed.push,
    isRecursive,
    ownerOf,
    debounceMs: 20,
    pollMs: 60_000,
  });
  sources.push(source);
  return source;
}

/** `a:80 b:81`. */
function names({ resources }: FileSnapshot): string {
  return resources
    .map(({ name, object }) => (object.kind === 'Service' ? `${name}:${object.spec.ports?.[0]?.port}` : name))
    .join(' ');
}

function problems({ issues }: FileSnapshot): string[] {
  return issues.map((issue) => `${issue.origin?.file?.slice(root.length + 1)}:${issue.origin?.line} ${issue.code}`);
}

describe('FileSource: reading', () => {
  it('reads YAML and JSON, many documents a file and lists, in order of names', async () => {
    write('b.yaml', `${service('c', 82)}---\n# nothing\n---\n${service('b', 81)}`);
    write(
      'a.json',
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'List',
        items: [{ apiVersion: 'v1', kind: 'Service', metadata: { name: 'a' }, spec: { ports: [{ port: 80 }] } }],
      }),
    );
    write('notes.txt', 'not a resource');
    write('.hidden.yaml', service('hidden', 1));
    const snapshot = await openSource(new PausedClock()).start();
    assert.equal(names(snapshot), 'a:80 c:82 b:81');
    assert.deepEqual(snapshot.issues, []);
    assert.deepEqual(
      snapshot.resources.map((each) => each.positions?.line),
      [1, 1, 10],
    );
    assert.equal(snapshot.resources[2]?.positions?.fields['spec.ports[0].port'], 15);
  });

  it('leaves folders inside alone unless told otherwise', async () => {
    mkdirSync(join(root, 'deep', 'er'), { recursive: true });
    write('deep/er/a.yaml', service('a', 80));
    assert.equal(names(await openSource(new PausedClock()).start()), '');
    assert.equal(names(await openSource(new PausedClock(), new Feed(), true).start()), 'a:80');
  });

  it('follows links to files', async () => {
    const elsewhere = mkdtempSync(join(tmpdir(), 'weft-elsewhere-'));
    writeFileSync(join(elsewhere, 'real'), service('a', 80));
    symlinkSync(join(elsewhere, 'real'), join(root, 'link.yaml'));
    symlinkSync(join(elsewhere, 'gone'), join(root, 'dangling.yaml'));
    assert.equal(names(await openSource(new PausedClock()).start()), 'a:80');
    rmSync(elsewhere, { recursive: true });
  });

  it('names file, line and field of what is wrong, and uses the rest of the file', async () => {
    write('a.yaml', `${service('a', 80)}---\n${service('b', 'eighty')}---\nkind: Pod\napiVersion: v1\n`);
    const snapshot = await openSource(new PausedClock()).start();
    assert.equal(names(snapshot), 'a:80');
    assert.deepEqual(problems(snapshot), ['a.yaml:13 WEFT0408', 'a.yaml:15 WEFT0405']);
    assert.match(
      formatIssue(snapshot.issues[0] ?? assert.fail()),
      /a\.yaml:13: error WEFT0408 Service\/default\/b spec\.ports\[0\]\.port: /,
    );
  });

  it('takes the first of two that declare the same', async () => {
    write('a.yaml', service('a', 80));
    write('b.yaml', `${service('a', 81)}---\n${service('b', 82)}---\n${service('b', 83)}`);
    const snapshot = await openSource(new PausedClock()).start();
    assert.equal(names(snapshot), 'a:80 b:82');
    assert.deepEqual(problems(snapshot), ['b.yaml:1 WEFT0412', 'b.yaml:15 WEFT0412']);
    assert.match(snapshot.issues[0]?.message ?? '', /a\.yaml:1 already/);
  });

  it('keeps the declaration in use when another file declares the same, until it is gone', async () => {
    const feed = new Feed();
    write('m.yaml', service('a', 80));
    const source = openSource(new PausedClock(), feed);
    await source.start();
    write('a.yaml', service('a', 81));
    await source.refresh();
    assert.equal(names(source.snapshot), 'a:80');
    assert.deepEqual(problems(source.snapshot), ['a.yaml:1 WEFT0412']);
    assert.match(source.snapshot.issues[0]?.message ?? '', /m\.yaml:1 already/);
    rmSync(join(root, 'm.yaml'));
    await source.refresh();
    assert.equal(names(source.snapshot), 'a:81');
    assert.deepEqual(source.snapshot.issues, []);
  });

  it('goes on with the declaration that was in use before it started', async () => {
    write('a.yaml', service('a', 81));
    write('m.yaml', service('a', 80));
    const file = join(root, 'm.yaml');
    const source = openSource(new PausedClock(), new Feed(), false, (key) => (key.endsWith('/a') ? file : null));
    assert.equal(names(await source.start()), 'a:80');
  });

  it('survives hostile files', async () => {
    const bomb = [
      'a: &a [x,x,x,x,x,x,x,x,x,x]',
      ...'bcdefg'.split('').map((letter, i) => `${letter}: &${letter} [${`*${'abcdefg'[i]},`.repeat(10)}]`),
    ].join('\n');
    write('alias.yaml', bomb);
    write('cycle.yaml', 'a: &a [*a]\n');
    write('deep.json', '['.repeat(50_000));
    write('deep.yaml', `${'['.repeat(300)}${']'.repeat(300)}`);
    write('large.yaml', `# ${'x'.repeat(9 * 1024 * 1024)}`);
    write('twice.yaml', 'apiVersion: v1\napiVersion: v1\nkind: Service\n');
    write('good.yaml', service('good', 80));
    const snapshot = await openSource(new PausedClock()).start();
    assert.equal(names(snapshot), 'good:80');
    const codes = new Map(snapshot.issues.map((issue) => [issue.origin?.file?.slice(root.length + 1), issue.code]));
    assert.deepEqual(Object.fromEntries(codes), {
      'alias.yaml': 'WEFT0403',
      'cycle.yaml': 'WEFT0403',
      'deep.json': 'WEFT0401',
      'deep.yaml': 'WEFT0403',
      'large.yaml': 'WEFT0402',
      'twice.yaml': 'WEFT0401',
    });
  });
});

describe('FileSource: the last good state', () => {
  it('stays while a file cannot be parsed, and ends when it parses again', async () => {
    write('a.yaml', `${service('a', 80)}---\n${service('b', 81)}`);
    const source = openSource(new PausedClock());
    await source.start();
    write('a.yaml', `${service('a', 90)}---\nbroken: [`);
    await source.refresh();
    assert.equal(names(source.snapshot), 'a:80 b:81');
    assert.deepEqual(
      problems(source.snapshot).map((each) => each.split(' ')[1]),
      ['WEFT0401'],
    );
    write('a.yaml', service('a', 90));
    await source.refresh();
    assert.equal(names(source.snapshot), 'a:90');
    assert.deepEqual(source.snapshot.issues, []);
  });

  it('stays for the one resource that is wrong, while others of the file change', async () => {
    write('a.yaml', `${service('a', 80)}---\n${service('b', 81)}`);
    const source = openSource(new PausedClock());
    await source.start();
    write('a.yaml', `${service('a', 90)}---\n${service('b', 'x')}`);
    await source.refresh();
    assert.equal(names(source.snapshot), 'a:90 b:81');
    write('a.yaml', service('a', 90));
    await source.refresh();
    assert.equal(names(source.snapshot), 'a:90', 'what is no longer declared is gone');
  });

  it('stays while the directory is away', async () => {
    write('a.yaml', service('a', 80));
    const source = openSource(new PausedClock());
    await source.start();
    renameSync(root, `${root}-away`);
    await source.refresh();
    assert.equal(names(source.snapshot), 'a:80');
    assert.deepEqual(
      source.snapshot.issues.map((issue) => issue.code),
      ['WEFT0418'],
    );
    assert.match(source.snapshot.issues[0]?.message ?? '', /stays in effect/);
    renameSync(`${root}-away`, root);
    await source.refresh();
    assert.deepEqual(source.snapshot.issues, []);
    rmSync(join(root, 'a.yaml'));
    await source.refresh();
    assert.equal(names(source.snapshot), '');
  });

  it('tells of nothing when nothing changed', async () => {
    write('a.yaml', service('a', 80));
    let calls = 0;
    const source = new FileSource({
      directory: root,
      defaultNamespace: 'default',
      clock: new PausedClock(),
      onChange: () => calls++,
    });
    sources.push(source);
    await source.start();
    await source.refresh();
    await Promise.all([source.refresh(), source.refresh()]);
    assert.equal(calls, 1);
  });
});

describe('FileSource: watching', () => {
  it('sees files that are written, replaced by rename as editors do, and removed', async () => {
    const feed = new Feed();
    await openSource(systemClock, feed).start();
    write('a.yaml', service('a', 80));
    await feed.until((text) => text === 'a:80');
    write('a.yaml.tmp', service('a', 81));
    renameSync(join(root, 'a.yaml.tmp'), join(root, 'a.yaml'));
    await feed.until((text) => text === 'a:81');
    write('b.yaml', service('b', 1));
    await feed.until((text) => text === 'a:81 b:1');
    rmSync(join(root, 'a.yaml'));
    await feed.until((text) => text === 'b:1');
  });

  it('sees folders that appear, and what is written into them', async () => {
    const feed = new Feed();
    await openSource(systemClock, feed, true).start();
    mkdirSync(join(root, 'x', 'y'), { recursive: true });
    write('x/y/a.yaml', service('a', 80));
    await feed.until((text) => text === 'a:80');
    write('x/y/a.yaml', service('a', 81));
    await feed.until((text) => text === 'a:81');
    rmSync(join(root, 'x'), { recursive: true });
    await feed.until((text) => text === '');
  });

  it('goes on after the directory was removed and made again', async () => {
    const feed = new Feed();
    write('a.yaml', service('a', 80));
    await openSource(systemClock, feed).start();
    rmSync(root, { recursive: true });
    mkdirSync(root);
    write('a.yaml', service('a', 81));
    await feed.until((text) => text === 'a:81');
    write('a.yaml', service('a', 82));
    await feed.until((text) => text === 'a:82');
  });

  it('looks by itself where no event comes', async () => {
    const clock = new PausedClock();
    const feed = new Feed();
    write('a.yaml', service('a', 80));
    const source = openSource(clock, feed);
    await source.start();
    assert.equal(names(await feed.next()), 'a:80');
    write('a.yaml', service('a', 81));
    clock.advance(60_100);
    assert.equal(names(await feed.next()), 'a:81');
  });
});
