import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { byFamily, type DnsAnswer, SystemResolver } from './resolver.ts';

function asking(answers: { 4: DnsAnswer | Error; 6: DnsAnswer | Error }): {
  ask: (version: 4 | 6) => Promise<DnsAnswer>;
  asked: number[];
} {
  const asked: number[] = [];
  const ask = (version: 4 | 6): Promise<DnsAnswer> => {
    asked.push(version);
    const answer = answers[version];
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  };
  return { ask, asked };
}

const v4: DnsAnswer = { addresses: ['10.0.0.1'], ttlMs: 3000 };
const v6: DnsAnswer = { addresses: ['::1'], ttlMs: 2000 };
const none: DnsAnswer = { addresses: [], ttlMs: null };
const down = new Error('down');

test('asks for the families in the order that is wanted', async () => {
  const both = { 4: v4, 6: v6 };
  assert.deepEqual(await byFamily('V4_ONLY', asking(both).ask), v4);
  assert.deepEqual(await byFamily('V6_ONLY', asking(both).ask), v6);
  assert.deepEqual(await byFamily('AUTO', asking(both).ask), v6);
  assert.deepEqual(await byFamily('V4_PREFERRED', asking(both).ask), v4);
  assert.deepEqual(await byFamily('AUTO', asking({ 4: v4, 6: none }).ask), v4);
  assert.deepEqual(await byFamily('AUTO', asking({ 4: v4, 6: down }).ask), v4);
});

test('keeps both families with the shorter lifetime, and one may fail', async () => {
  assert.deepEqual(await byFamily('ALL', asking({ 4: v4, 6: v6 }).ask), {
    addresses: ['10.0.0.1', '::1'],
    ttlMs: 2000,
  });
  assert.deepEqual(await byFamily('ALL', asking({ 4: v4, 6: down }).ask), v4);
  await assert.rejects(byFamily('ALL', asking({ 4: none, 6: down }).ask), /down/);
});

test('does not take silence of one family and nothing of the other for an answer', async () => {
  await assert.rejects(byFamily('AUTO', asking({ 4: none, 6: down }).ask), /down/);
});

test('addresses stand for themselves, and localhost comes from the system', async () => {
  const resolver = new SystemResolver();
  assert.deepEqual(await resolver.resolve('127.0.0.1', 'AUTO'), { addresses: ['127.0.0.1'], ttlMs: null });
  assert.deepEqual(await resolver.resolve('localhost', 'V4_ONLY'), { addresses: ['127.0.0.1'], ttlMs: null });
});

test('takes localhost in any spelling from the system, with and without a hosts file', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'weft-hosts-'));
  const file = join(folder, 'hosts');
  writeFileSync(file, '# names\n127.0.0.1 127.0.0.1.example Mesh-Alias # more\n');
  const resolver = new SystemResolver(file);
  assert.deepEqual(await resolver.resolve('LOCALHOST.', 'V4_ONLY'), { addresses: ['127.0.0.1'], ttlMs: null });
  assert.deepEqual(await new SystemResolver(join(folder, 'missing')).resolve('localhost', 'V4_ONLY'), {
    addresses: ['127.0.0.1'],
    ttlMs: null,
  });
  rmSync(folder, { recursive: true });
});
