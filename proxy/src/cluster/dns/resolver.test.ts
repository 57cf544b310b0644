import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
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

test('takes localhost in any spelling from the system, IPv4 first', async () => {
  const local = { addresses: ['127.0.0.1'], ttlMs: null };
  assert.deepEqual(await new SystemResolver().resolve('LOCALHOST.', 'AUTO'), local);
  assert.deepEqual(await new SystemResolver({ hostsFile: '/does/not/exist' }).resolve('localhost', 'V4_ONLY'), local);
});

test('asks a name server and tells how long its answer holds', async (context) => {
  const server = await startNameServer(context, {
    'api.mesh.test': {
      addresses: [
        [10, 0, 0, 1],
        [10, 0, 0, 2],
      ],
      ttlSeconds: 7,
    },
  });
  const resolver = new SystemResolver({ servers: [server] });
  const answer = await resolver.resolve('api.mesh.test', 'V4_ONLY');
  assert.deepEqual(
    { ...answer, addresses: [...answer.addresses].sort() },
    { addresses: ['10.0.0.1', '10.0.0.2'], ttlMs: 7000 },
  );
  assert.deepEqual((await resolver.resolve('api.mesh.test', 'AUTO')).ttlMs, 7000);
  assert.deepEqual(await resolver.resolve('missing.mesh.test', 'AUTO'), { addresses: [], ttlMs: null });
  await assert.rejects(resolver.resolve('broken.mesh.test', 'V4_ONLY'), /ESERVFAIL/);
});

test('finds names of the hosts file without asking a name server', async (context) => {
  const asked: string[] = [];
  const server = await startNameServer(context, {}, asked);
  const folder = mkdtempSync(join(tmpdir(), 'weft-hosts-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const hostsFile = join(folder, 'hosts');
  writeFileSync(hostsFile, '# names\n127.0.0.1 localhost Alias.Mesh.Test # more\n');
  const lookedUp: string[] = [];
  const lookup = (name: string): Promise<string[]> => {
    lookedUp.push(name);
    return Promise.resolve(['127.0.0.1']);
  };
  const resolver = new SystemResolver({ hostsFile, servers: [server], lookup });
  assert.deepEqual(await resolver.resolve('alias.mesh.test', 'V4_ONLY'), { addresses: ['127.0.0.1'], ttlMs: null });
  await resolver.resolve('short-name', 'V4_ONLY');
  await resolver.resolve('other.mesh.test', 'V4_ONLY');
  assert.deepEqual([lookedUp, asked], [['alias.mesh.test', 'short-name'], ['other.mesh.test']]);
});

interface Zone {
  readonly [name: string]: { readonly addresses: readonly (readonly number[])[]; readonly ttlSeconds: number };
}

/** A name server that knows a few A records: RFC 1035 §4. */
async function startNameServer(context: TestContext, zone: Zone, asked: string[] = []): Promise<string> {
  const socket = createSocket('udp4');
  context.after(() => socket.close());
  socket.on('message', (query, from) => {
    const { name, end } = readName(query, 12);
    asked.push(name);
    socket.send(answerTo(query, name, end, zone), from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  return `127.0.0.1:${socket.address().port}`;
}

function answerTo(query: Buffer, name: string, end: number, zone: Zone): Buffer {
  const isAddress = query.readUInt16BE(end) === 1;
  const known = zone[name];
  const records = isAddress ? (known?.addresses ?? []) : [];
  const code = name.startsWith('broken') ? 2 : known === undefined ? 3 : 0;
  const head = Buffer.from(query.subarray(0, end + 4));
  head.writeUInt16BE(0x8180 | code, 2);
  head.writeUInt16BE(records.length, 6);
  head.writeUInt32BE(0, 8);
  const body = records.map((address) => {
    const record = Buffer.from([0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, ...address]);
    record.writeUInt32BE(known?.ttlSeconds ?? 0, 6);
    return record;
  });
  return Buffer.concat([head, ...body]);
}

function readName(query: Buffer, start: number): { name: string; end: number } {
  const labels: string[] = [];
  let at = start;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), end: at + 1 };
}
