import assert from 'node:assert/strict';
import fs, { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { PausedClock } from '@weft/lib/clock';
import { KeptLog, makeTestDirectory } from './ca-kit.ts';
import { JoinTokens } from './join-tokens.ts';

const identity = 'spiffe://cluster.local/ns/default/sa/web';

function setUp(context: TestContext) {
  const directory = join(
    makeTestDirectory((callback) => context.after(callback)),
    'tokens',
  );
  const clock = new PausedClock();
  const log = new KeptLog();
  return { directory, clock, log, tokens: new JoinTokens(directory, clock, log) };
}

function hashOf(tokens: JoinTokens, token: string): string {
  const verdict = tokens.verify(token);
  assert.ok('hash' in verdict);
  return verdict.hash;
}

function reasonOf(tokens: JoinTokens, token: string): string {
  const verdict = tokens.verify(token);
  assert.ok('reason' in verdict);
  return verdict.reason;
}

test('a token stands for one identity, also after a restart', (context) => {
  const { directory, clock, log, tokens } = setUp(context);
  const token = tokens.create(identity);
  for (const store of [tokens, new JoinTokens(directory, clock, log)]) {
    const verdict = store.verify(token);
    assert.equal('identity' in verdict ? verdict.identity : '', identity);
  }
});

test('the token itself is nowhere on the disk', (context) => {
  const { directory, tokens } = setUp(context);
  const token = tokens.create(identity);
  for (const name of readdirSync(directory)) {
    assert.equal(name.includes(token), false);
    assert.equal(readFileSync(join(directory, name), 'utf8').includes(token), false);
  }
});

test('a workload that crashed before it used its certificate may ask again', (context) => {
  const { directory, clock, log, tokens } = setUp(context);
  const token = tokens.create(identity);
  tokens.recordIssued(hashOf(tokens, token), 'aa');
  const restarted = new JoinTokens(directory, clock, log);
  restarted.recordIssued(hashOf(restarted, token), 'bb');
  hashOf(restarted, token);
});

test('dies with the first use of any certificate it bought, and a replay is logged', (context) => {
  const { directory, clock, log, tokens } = setUp(context);
  const token = tokens.create(identity);
  tokens.recordIssued(hashOf(tokens, token), 'aa');
  tokens.recordIssued(hashOf(tokens, token), 'bb');
  const restarted = new JoinTokens(directory, clock, log);
  restarted.confirm('unknown');
  hashOf(restarted, token);
  restarted.confirm('aa');
  assert.match(reasonOf(restarted, token), /replayed/);
  assert.match(reasonOf(new JoinTokens(directory, clock, log), token), /replayed/);
  assert.match(log.lines.at(-1) ?? '', /^warn join token refused .*replayed.*sa\/web/);
});

/** No file can be brought to the disk until the returned function is called. */
function fillDisk(context: TestContext): () => void {
  const full = context.mock.method(fs, 'fsyncSync', () => {
    throw Object.assign(new Error('ENOSPC: no space left on device, fsync'), { code: 'ENOSPC' });
  });
  syncBuiltinESMExports();
  const free = () => {
    full.mock.restore();
    syncBuiltinESMExports();
  };
  context.after(free);
  return free;
}

test('lives on where the disk is full, which harms no caller, and dies with a later call', (context) => {
  const { directory, log, tokens } = setUp(context);
  const token = tokens.create(identity);
  const hash = hashOf(tokens, token);
  tokens.recordIssued(hash, 'aa');
  const free = fillDisk(context);
  tokens.confirm('aa');
  hashOf(tokens, token);
  assert.match(log.lines.at(-1) ?? '', /^error a join token that was used cannot be ended yet.*ENOSPC.*sa\/web/);
  assert.deepEqual(readdirSync(directory), [`${hash}.json`]);
  free();
  tokens.confirm('aa');
  assert.match(reasonOf(tokens, token), /replayed/);
});

test('leaves the tokens of other replicas alone', (context) => {
  const { tokens } = setUp(context);
  const [a, b] = [tokens.create(identity), tokens.create(identity)];
  tokens.recordIssued(hashOf(tokens, a), 'aa');
  tokens.recordIssued(hashOf(tokens, b), 'bb');
  tokens.confirm('aa');
  assert.match(reasonOf(tokens, a), /replayed/);
  hashOf(tokens, b);
});

test('expires, and is forgotten then', (context) => {
  const { directory, clock, tokens } = setUp(context);
  const token = tokens.create(identity, 1000);
  clock.advance(999);
  hashOf(tokens, token);
  clock.advance(1);
  assert.match(reasonOf(tokens, token), /expired/);
  tokens.sweep();
  assert.deepEqual(readdirSync(directory), []);
  assert.match(reasonOf(tokens, token), /unknown/);
});

test('buys only so many certificates', (context) => {
  const { tokens } = setUp(context);
  const token = tokens.create(identity);
  for (let i = 0; i < 16; i++) tokens.recordIssued(hashOf(tokens, token), String(i));
  assert.match(reasonOf(tokens, token), /too often/);
});

test('a damaged file buys nothing and stops nobody else', (context) => {
  const { directory, clock, log, tokens } = setUp(context);
  const [bad, good] = [tokens.create(identity), tokens.create(identity)];
  writeFileSync(join(directory, `${hashOf(tokens, bad)}.json`), '{"identity":');
  const restarted = new JoinTokens(directory, clock, log);
  assert.match(reasonOf(restarted, bad), /unknown/);
  hashOf(restarted, good);
});

for (const token of ['', 'x', '../../../etc/passwd', `${'a'.repeat(42)}/`, 'a'.repeat(5000)]) {
  test(`knows nothing of ${JSON.stringify(token.slice(0, 50))}`, (context) => {
    assert.match(reasonOf(setUp(context).tokens, token), /unknown/);
  });
}

test('makes no token for what is no identity', (context) => {
  assert.throws(() => setUp(context).tokens.create('web'), /no workload identity/);
});
