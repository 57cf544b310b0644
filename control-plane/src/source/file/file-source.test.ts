// A directory of resources: read, kept at its last good state, and watched through everything that editors do.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { type Clock, PausedClock, systemClock } from '@weft/lib/clock';
import { formatIssue } from '@weft/lib/issue';
import type { ParsedResource } from '../../resource/parse-resource.ts';
import { type FileSnapshot, FileSource } from './file-source.ts';
import { loadFile } from './load-file.ts';

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

/** Only root can become another user, and only another user can be kept from reading. */
const isRoot = process.getuid?.() === 0;
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
  kept: readonly ParsedResource[] = [],
): FileSource {
  const source = new FileSource({
    directory: root,
    defaultNamespace: 'default',
    clock,
    onChange: feed.push,
    isRecursive,
    kept,
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
    write('m.yaml', service('a', 80));
    const { resources } = await openSource(new PausedClock()).start();
    write('a.yaml', service('a', 81));
    const source = openSource(new PausedClock(), new Feed(), false, resources);
    assert.equal(names(await source.start()), 'a:80');
  });

  it('holds nobody up while it reads thousands of documents', async () => {
    write('a.yaml', Array.from({ length: 3000 }, (_, i) => service(`web-${i}`, 80)).join('---\n'));
    const startedMs = performance.now();
    let lastMs = startedMs;
    let longestMs = 0;
    let isOver = false;
    const look = (): void => {
      const nowMs = performance.now();
      longestMs = Math.max(longestMs, nowMs - lastMs);
      lastMs = nowMs;
      if (!isOver) setImmediate(look);
    };
    look();
    const found = { relative: 'a.yaml', path: join(root, 'a.yaml'), stats: null, problem: null };
    const loaded = await loadFile(found, { shown: 'a.yaml', defaultNamespace: 'default', isInUse: false });
    isOver = true;
    look();
    assert.equal(loaded?.documents.length, 3000);
    assert.ok(longestMs < (lastMs - startedMs) / 2, `${longestMs} of ${lastMs - startedMs} ms at a stretch`);
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

/** Ways to break a file, and what is said of it. */
const breaks: readonly (readonly [string, (path: string) => void, string])[] = [
  ['a slip in one of its documents', (path) => writeFileSync(path, `${service('a', 90)}---\nbroken: [`), ':8 WEFT0401'],
  [
    'a document of an unknown kind',
    (path) => writeFileSync(path, service('a', 90).replace('Service', 'Sevrice')),
    ':2 WEFT0405',
  ],
  [
    'a document without a name',
    (path) => writeFileSync(path, service('a', 90).replace('name: a', 'nam: a')),
    ':3 WEFT0407',
  ],
  ['a document that is no mapping', (path) => writeFileSync(path, 'apiVersion v1\n'), ':1 WEFT0404'],
  [
    'a version that is not served',
    (path) => writeFileSync(path, `${service('a', 90).replace('v1', 'v9')}---\n${service('b', 81)}`),
    ':1 WEFT0406',
  ],
  [
    'a resource with errors',
    (path) => writeFileSync(path, `${service('a', 'x')}---\n${service('b', 81)}`),
    ':6 WEFT0408',
  ],
  ['the same key twice', (path) => writeFileSync(path, `${service('a', 90)}kind: Service\n`), ':7 WEFT0401'],
  ['half a document', (path) => writeFileSync(path, service('a', 90).slice(0, 40)), ':3 WEFT0401'],
  [
    'bytes that are no text',
    (path) => writeFileSync(path, Buffer.from(`# 1\n# \xff\n${service('a', 90)}`, 'latin1')),
    ':2 WEFT0420',
  ],
  ['text in another encoding', (path) => writeFileSync(path, `\ufeff${service('a', 90)}`, 'utf16le'), ':1 WEFT0420'],
  ['zeros, as after a crash', (path) => writeFileSync(path, Buffer.alloc(100)), ':1 WEFT0404'],
  ['nothing in it', (path) => writeFileSync(path, ''), ':undefined WEFT0421'],
  ['too much in it', (path) => writeFileSync(path, Buffer.alloc(9 * 1024 * 1024, '#')), ':undefined WEFT0402'],
  ['a folder in its place', (path) => mkdirSync(path), ':undefined WEFT0400'],
  ['a named pipe in its place', (path) => execFileSync('mkfifo', [path]), ':undefined WEFT0400'],
  ['a link to a device in its place', (path) => symlinkSync('/dev/zero', path), ':undefined WEFT0400'],
  ['a link to nothing in its place', (path) => symlinkSync('/nothing/there', path), ':undefined WEFT0400'],
  ['a link to itself in its place', (path) => symlinkSync(path, path), ':undefined WEFT0400'],
];

describe('FileSource: a file that breaks', () => {
  for (const [what, harm, problem] of breaks) {
    it(`changes nothing with ${what}, nor over a restart, and says where it is`, async () => {
      write('broken.yaml', `${service('a', 80)}---\n${service('b', 81)}`);
      write('other.yaml', service('c', 82));
      const source = openSource(new PausedClock());
      await source.start();
      rmSync(join(root, 'broken.yaml'));
      harm(join(root, 'broken.yaml'));
      write('other.yaml', service('c', 92));
      await source.refresh();
      const expected = `broken.yaml${problem}`;
      assert.equal(names(source.snapshot), 'a:80 b:81 c:92');
      assert.ok(problems(source.snapshot).includes(expected), problems(source.snapshot).join());

      const next = openSource(new PausedClock(), new Feed(), false, source.snapshot.resources);
      await next.start();
      assert.equal(names(next.snapshot), names(source.snapshot));
      assert.ok(problems(next.snapshot).includes(expected), problems(next.snapshot).join());

      rmSync(join(root, 'broken.yaml'), { recursive: true });
      write('broken.yaml', service('a', 90));
      await next.refresh();
      assert.equal(names(next.snapshot), 'a:90 c:92', 'what is mended counts');
      assert.deepEqual(next.snapshot.issues, []);
    });
  }

  it('says of what stays why it does', async () => {
    write('a.yaml', `${service('a', 80)}---\n${service('b', 81)}`);
    const source = openSource(new PausedClock());
    await source.start();
    write('a.yaml', `${service('a', 90)}---\n${service('b', 91).replace('Service', 'Sevrice')}`);
    await source.refresh();
    assert.equal(names(source.snapshot), 'a:90 b:81');
    assert.deepEqual(problems(source.snapshot), ['a.yaml:9 WEFT0405', 'a.yaml:undefined WEFT0422']);
  });

  it('ends with the file, and with the folder of an earlier start', async () => {
    write('a.yaml', service('a', 80));
    const { resources } = await openSource(new PausedClock()).start();
    const elsewhere = join(root, 'elsewhere');
    mkdirSync(elsewhere);
    const clock = new PausedClock();
    const other = new FileSource({
      directory: elsewhere,
      defaultNamespace: 'default',
      clock,
      onChange: () => {},
      kept: resources,
    });
    sources.push(other);
    assert.equal(names(await other.start()), '');
    rmSync(join(root, 'a.yaml'));
    assert.equal(names(await openSource(new PausedClock(), new Feed(), false, resources).start()), '');
  });

  it('keeps what was read before a start at which the directory is away', async () => {
    write('a.yaml', service('a', 80));
    const { resources } = await openSource(new PausedClock()).start();
    rmSync(root, { recursive: true });
    const source = openSource(new PausedClock(), new Feed(), false, resources);
    assert.equal(names(await source.start()), 'a:80');
    assert.match(source.snapshot.issues[0]?.message ?? '', /stays in effect/);
    mkdirSync(root);
    await source.refresh();
    assert.equal(names(source.snapshot), '');
  });

  it('is read again when the system lets it be read, and told once until then', { skip: !isRoot }, async () => {
    const feed = new Feed();
    write('a.yaml', service('a', 80));
    chmodSync(root, 0o755);
    chmodSync(join(root, 'a.yaml'), 0o600);
    let calls = 0;
    const source = openSource(new PausedClock(), feed);
    process.seteuid?.('nobody');
    try {
      await source.start();
      await feed.next();
      assert.deepEqual(problems(source.snapshot), ['a.yaml:undefined WEFT0400']);
      void feed.next().then(() => calls++);
      await source.refresh();
      assert.equal(calls, 0);
    } finally {
      process.seteuid?.('root');
    }
    await source.refresh();
    assert.equal(names(source.snapshot), 'a:80');
    assert.deepEqual(source.snapshot.issues, []);
  });

  it('does not mind folders that are called like files, nor empty files of which nothing was in effect', async () => {
    mkdirSync(join(root, 'a.yaml'));
    write('b.yaml', '');
    write('c.yaml', '# nothing yet\n');
    assert.deepEqual(await openSource(new PausedClock()).start(), { resources: [], issues: [] });
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
