import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { PausedClock } from '@weft/lib/clock';
import { WeftError } from '@weft/lib/error';
import { packAny } from '@weft/lib/protobuf/codec';
import { makeSampleCertificate, makeSampleRoot } from '@weft/lib/x509/sample-certificate';
import { SecretSet } from '../secret-set.ts';
import type { SecurityLog } from '../security-log.ts';
import { compileUpstreamTls, type UpstreamTls } from '../upstream-tls.ts';
import { controlPlaneId, FakeCa, type SeenRequest } from './fake-ca.ts';
import { startWorkloadIdentity, type WorkloadIdentity } from './workload-identity.ts';

const spiffeId = 'spiffe://cluster.local/ns/default/sa/web';
const configType = 'weft.extensions.identity.v1.WorkloadIdentity';
const hourMs = 3600_000;

/** Keeps lines and lets a test wait for one. */
class AwaitedLog implements SecurityLog {
  readonly lines: string[] = [];
  private readonly waiting: { pattern: RegExp; resolve: (line: string) => void }[] = [];

  info(message: string): void {
    this.add(`info ${message}`);
  }

  warn(message: string): void {
    this.add(`warn ${message}`);
  }

  error(message: string): void {
    this.add(`error ${message}`);
  }

  /** The next line of that form. */
  next(pattern: RegExp): Promise<string> {
    return new Promise((resolve) => this.waiting.push({ pattern, resolve }));
  }

  private add(line: string): void {
    this.lines.push(line);
    for (const [i, { pattern, resolve }] of [...this.waiting.entries()].reverse()) {
      if (!pattern.test(line)) continue;
      this.waiting.splice(i, 1);
      resolve(line);
    }
  }
}

function issueBy(ca: FakeCa, lifeMs: number, clock: PausedClock, uri = spiffeId) {
  return ({ publicKeyDer }: SeenRequest): string[] => {
    const dates = { notBeforeMs: clock.wallMs() - 60_000, notAfterMs: clock.wallMs() + lifeMs };
    return [makeSampleCertificate({ uris: [uri], issuer: ca.root, publicKeyDer, ...dates }).pem, ca.root.pem];
  };
}

interface SetUp {
  readonly ca: FakeCa;
  readonly clock: PausedClock;
  readonly log: AwaitedLog;
  readonly secrets: SecretSet;
  readonly folder: string;
  readonly host: Parameters<typeof startWorkloadIdentity>[1];
  start(): WorkloadIdentity;
}

async function setUp(context: TestContext, ca = new FakeCa()): Promise<SetUp> {
  await ca.listen();
  const folder = mkdtempSync(join(tmpdir(), 'weft-identity-'));
  // The handshakes are real, so the paused clock starts at the real time.
  const clock = new PausedClock(Math.floor(Date.now() / 1000) * 1000);
  const log = new AwaitedLog();
  const secrets = new SecretSet(clock, log);
  writeFileSync(join(folder, 'token'), 'secret-token\n');
  writeFileSync(join(folder, 'roots.pem'), ca.root.pem);
  const tls = caTls(secrets, join(folder, 'roots.pem'));
  const endpoint = { address: '127.0.0.1', port: ca.port, tls, tlsNames: {} };
  const host = {
    clock,
    log,
    secrets,
    random: () => 0.5,
    clusters: { get: (name: string) => (name === 'ca' ? { hosts: [endpoint] } : null) },
  };
  const start = (): WorkloadIdentity => {
    const config = {
      caCluster: 'ca',
      joinTokenPath: join(folder, 'token'),
      trustBundlePath: join(folder, 'roots.pem'),
      spiffeId,
      requestedTtl: { seconds: 3600 },
    };
    const identity = startWorkloadIdentity(bootstrapOf(config), host);
    assert.ok(identity);
    context.after(() => identity.stop());
    return identity;
  };
  context.after(() => {
    ca.close();
    secrets.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return { ca, clock, log, secrets, folder, host, start };
}

function bootstrapOf(config: Parameters<typeof packAny<typeof configType>>[1]) {
  return { bootstrapExtensions: [{ name: 'weft.identity', typedConfig: packAny(configType, config) }] };
}

function caTls(secrets: SecretSet, rootFile: string): UpstreamTls {
  const validationContext = {
    trustedCa: { filename: rootFile },
    matchTypedSubjectAltNames: [{ sanType: 'URI' as const, matcher: { exact: controlPlaneId } }],
  };
  const context = { sni: 'istiod.istio-system.svc', commonTlsContext: { alpnProtocols: ['h2'], validationContext } };
  const tls = compileUpstreamTls(context, secrets, [], 'ca');
  assert.ok(tls);
  return tls;
}

const received = /info workload certificate received/;

test('gets its first certificate by the token and keeps the key to itself', async (context) => {
  const mesh = await setUp(context);
  mesh.ca.answer = issueBy(mesh.ca, hourMs, mesh.clock);
  const done = mesh.log.next(received);
  const identity = mesh.start();
  assert.deepEqual(mesh.secrets.get('ROOTCA')?.trust?.rootsPem, mesh.ca.root.pem);
  assert.equal(identity.state.status, 'none');
  await done;
  const [seen] = mesh.ca.seen;
  assert.equal(seen?.authorization, 'Bearer secret-token');
  assert.equal(seen?.ttlSeconds, 3600);
  const certificate = mesh.secrets.get('default')?.certificate;
  assert.deepEqual(certificate?.leaf.names.uris, [spiffeId]);
  assert.deepEqual(certificate?.leaf.publicKeyDer, seen?.publicKeyDer);
  assert.equal(certificate?.chain.length, 1, 'the root is not sent to peers');
  const { status, serial, daysLeft } = identity.state;
  assert.deepEqual([status, serial], ['valid', certificate?.leaf.serial]);
  assert.ok(Math.abs(daysLeft - 1 / 24) < 0.001);
  assert.deepEqual(readdirSync(mesh.folder).sort(), ['roots.pem', 'token']);
  assert.deepEqual(mesh.secrets.wanted(), []);
});

test('renews at half of its life with a new key, known by its certificate', async (context) => {
  const mesh = await setUp(context);
  mesh.ca.answer = issueBy(mesh.ca, hourMs, mesh.clock);
  const first = mesh.log.next(received);
  mesh.start();
  await first;
  const before = mesh.secrets.get('default')?.certificate;
  mesh.clock.advance(hourMs / 2 - 1000);
  assert.equal(mesh.ca.seen.length, 1);
  const second = mesh.log.next(received);
  mesh.clock.advance(2000);
  await second;
  assert.deepEqual([mesh.ca.seen[1]?.authorization, mesh.ca.seen[1]?.caller], ['', spiffeId]);
  const after = mesh.secrets.get('default')?.certificate;
  assert.notEqual(after?.leaf.serial, before?.leaf.serial);
  assert.notDeepEqual(after?.leaf.publicKeyDer, before?.leaf.publicKeyDer);
});

test('keeps the certificate while renewal fails, says so, and takes the next one that comes', async (context) => {
  const mesh = await setUp(context);
  mesh.ca.answer = issueBy(mesh.ca, hourMs, mesh.clock);
  const first = mesh.log.next(received);
  const identity = mesh.start();
  await first;
  const { serial } = identity.state;
  mesh.ca.answer = () => ({ code: 14, message: 'try%20later' });
  const warned = mesh.log.next(/warn the workload certificate could not be renewed/);
  mesh.clock.advance(hourMs / 2 + 1000);
  await warned;
  assert.deepEqual(
    [identity.state.status, identity.state.serial, identity.state.problem],
    ['valid', serial, 'try later'],
  );
  assert.notEqual(mesh.secrets.get('default'), null);
  mesh.ca.answer = issueBy(mesh.ca, hourMs, mesh.clock);
  const again = mesh.log.next(received);
  mesh.clock.advance(1000);
  await again;
  assert.equal(identity.state.problem, '');
});

test('takes an expired certificate out of use and never goes on without', async (context) => {
  const mesh = await setUp(context);
  mesh.ca.answer = issueBy(mesh.ca, hourMs, mesh.clock);
  const first = mesh.log.next(received);
  const identity = mesh.start();
  await first;
  mesh.ca.close();
  const failed = mesh.log.next(/could not be renewed/);
  mesh.clock.advance(hourMs / 2 + 1000);
  await failed;
  const expired = mesh.log.next(/error the workload certificate expired/);
  mesh.clock.advance(hourMs / 2);
  await expired;
  assert.equal(identity.state.status, 'expired');
  assert.equal(mesh.secrets.get('default'), null);
  assert.notEqual(mesh.secrets.get('ROOTCA'), null);
});

test('turns to a new token when the authority no longer takes its certificate', async (context) => {
  const mesh = await setUp(context);
  mesh.ca.answer = issueBy(mesh.ca, hourMs, mesh.clock);
  const first = mesh.log.next(received);
  mesh.start();
  await first;
  const issue = issueBy(mesh.ca, hourMs, mesh.clock);
  mesh.ca.answer = (seen) =>
    seen.authorization === 'Bearer new-token' ? issue(seen) : { code: 16, message: 'unknown root' };
  writeFileSync(join(mesh.folder, 'token'), 'new-token');
  const warned = mesh.log.next(/could not be renewed/);
  mesh.clock.advance(hourMs / 2 + 1000);
  await warned;
  const second = mesh.log.next(received);
  mesh.clock.advance(1000);
  await second;
  assert.deepEqual(
    mesh.ca.seen.map(({ authorization }) => authorization),
    ['Bearer secret-token', '', 'Bearer new-token'],
  );
});

for (const [what, jumpMs] of [
  ['a sleep has taken it past half of its life', 0.7 * hourMs],
  ['the clock was set back to before its time', -hourMs],
] as const) {
  test(`renews in half a minute when ${what}`, async (context) => {
    const mesh = await setUp(context);
    mesh.ca.answer = issueBy(mesh.ca, hourMs, mesh.clock);
    const first = mesh.log.next(received);
    const identity = mesh.start();
    await first;
    mesh.clock.setWall(mesh.clock.wallMs() + jumpMs);
    const second = mesh.log.next(received);
    mesh.clock.advance(30_000);
    await second;
    const { notBeforeMs, notAfterMs } = identity.state;
    assert.ok(notBeforeMs < mesh.clock.wallMs() && notAfterMs > mesh.clock.wallMs() + hourMs / 2);
    assert.equal(mesh.ca.seen[1]?.authorization, '');
  });
}

test('takes a certificate that expired in a sleep out of use in half a minute, and shows its token again', async (context) => {
  const mesh = await setUp(context);
  mesh.ca.answer = issueBy(mesh.ca, hourMs, mesh.clock);
  const first = mesh.log.next(received);
  const identity = mesh.start();
  await first;
  mesh.clock.setWall(mesh.clock.wallMs() + 2 * hourMs);
  const [expired, second] = [mesh.log.next(/error the workload certificate expired/), mesh.log.next(received)];
  mesh.clock.advance(30_000);
  await expired;
  await second;
  assert.equal(mesh.ca.seen[1]?.authorization, 'Bearer secret-token');
  assert.equal(identity.state.status, 'valid');
});

const refused = /error the workload has no valid certificate/;

test('comes back by a new token after its certificate expired, asking at least every half minute', async (context) => {
  const mesh = await setUp(context);
  mesh.ca.answer = issueBy(mesh.ca, hourMs, mesh.clock);
  const first = mesh.log.next(received);
  const identity = mesh.start();
  await first;
  mesh.ca.answer = (seen) =>
    seen.authorization === 'Bearer new-token'
      ? issueBy(mesh.ca, hourMs, mesh.clock)(seen)
      : { code: 16, message: 'dead' };
  const failed = mesh.log.next(refused);
  mesh.clock.advance(hourMs);
  await failed;
  for (let i = 0; i < 8; i++) {
    const again = mesh.log.next(refused);
    mesh.clock.advance(30_000);
    await again;
  }
  assert.equal(identity.state.status, 'expired');
  writeFileSync(join(mesh.folder, 'token'), 'new-token');
  const back = mesh.log.next(received);
  mesh.clock.advance(30_000);
  await back;
  assert.equal(identity.state.status, 'valid');
});

test('sends its token to nobody who is not the control plane of its mesh', async (context) => {
  const stranger = new FakeCa(makeSampleRoot(), makeSampleRoot('stranger'));
  const mesh = await setUp(context, stranger);
  const failed = mesh.log.next(refused);
  const identity = mesh.start();
  await failed;
  assert.equal(stranger.seen.length, 0);
  assert.match(identity.state.problem, /unable to get local issuer|self-signed/);
});

const badAnswers: [name: string, answer: (mesh: SetUp) => FakeCa['answer'], problem: RegExp][] = [
  [
    'another identity',
    ({ ca, clock }) => issueBy(ca, hourMs, clock, 'spiffe://cluster.local/ns/default/sa/admin'),
    /WEFT|issued a certificate for ".*admin"/,
  ],
  [
    'another key',
    ({ ca }) =>
      () => [makeSampleCertificate({ uris: [spiffeId], issuer: ca.root }).pem],
    /does not belong/,
  ],
  ['an expired certificate', ({ ca, clock }) => issueBy(ca, -1000, clock), /expired/],
  ['nothing', () => () => [], /no CERTIFICATE block/],
  ['no PEM', () => () => ['hello'], /no CERTIFICATE block/],
];
for (const [name, answer, problem] of badAnswers) {
  test(`refuses an answer of ${name}`, async (context) => {
    const mesh = await setUp(context);
    mesh.ca.answer = answer(mesh);
    const failed = mesh.log.next(refused);
    const identity = mesh.start();
    await failed;
    assert.match(identity.state.problem, problem);
    assert.equal(mesh.secrets.get('default'), null);
  });
}

test('says what is wrong with its token file', async (context) => {
  const mesh = await setUp(context);
  rmSync(join(mesh.folder, 'token'));
  const failed = mesh.log.next(refused);
  const identity = mesh.start();
  await failed;
  assert.match(identity.state.problem, /join token cannot be read/);
});

test('reports everything that is wrong with its configuration at once, and starts for nobody who did not ask', async (context) => {
  const mesh = await setUp(context);
  assert.equal(startWorkloadIdentity({}, mesh.host), null);
  const start = () =>
    startWorkloadIdentity(bootstrapOf({ caCluster: 'none', spiffeId: 'web', trustBundlePath: '/none' }), mesh.host);
  assert.throws(start, (error: unknown) => {
    assert.ok(error instanceof WeftError);
    for (const part of [
      /"none", which is no static cluster/,
      /join_token_path is missing/,
      /spiffe_id "web"/,
      /trust_bundle_path/,
    ]) {
      assert.match(error.message, part);
    }
    return true;
  });
});
