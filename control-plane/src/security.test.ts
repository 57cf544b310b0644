import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { PausedClock } from '@weft/lib/clock';
import { parseCertificate } from '@weft/lib/x509/certificate';
import { parseCertificatePem } from '@weft/lib/x509/pem';
import { until } from '../../test/kit/until.ts';
import { KeptLog, makeTestDirectory } from './ca/ca-kit.ts';
import { MeshSecurity } from './security.ts';

const dayMs = 24 * 3600_000;

/** The control plane's security, with the dates of every certificate of the mesh API that replaced the first. */
async function setUp(context: TestContext) {
  const stateDirectory = makeTestDirectory((callback) => context.after(callback));
  const clock = new PausedClock();
  const log = new KeptLog();
  const options = { stateDirectory, authorityDirectory: null, trustDomain: 'cluster.local', clock, log };
  const security = await MeshSecurity.start(options);
  context.after(() => security.close());
  const renewed: { notBeforeMs: number; notAfterMs: number }[] = [];
  await security.apiCertificate(({ certificate }) => {
    renewed.push(parseCertificate(parseCertificatePem(certificate)[0] as Buffer));
  });
  const isOwnRenewed = () =>
    log.lines.some((line) => line.includes('the certificate of the control plane was renewed'));
  return { clock, renewed, isOwnRenewed };
}

test('the control plane renews its own certificates at half of their life', async (context) => {
  const { clock, renewed, isOwnRenewed } = await setUp(context);
  clock.advance(dayMs / 2 - 60_000);
  assert.deepEqual([isOwnRenewed(), renewed.length], [false, 0]);
  clock.advance(60_000);
  await until('both are new', () => isOwnRenewed() && renewed.length === 1);
});

for (const [what, jumpMs] of [
  ['after a sleep that was longer than they last', 3 * dayMs],
  ['when the clock was set back to before their time', -dayMs],
] as const) {
  test(`the control plane renews its own certificates within a minute ${what}`, async (context) => {
    const { clock, renewed, isOwnRenewed } = await setUp(context);
    clock.setWall(clock.wallMs() + jumpMs);
    clock.advance(60_000);
    await until('both are new', () => isOwnRenewed() && renewed.length === 1);
    const [dates] = renewed;
    assert.ok(dates !== undefined && dates.notBeforeMs <= clock.wallMs() && clock.wallMs() < dates.notAfterMs);
  });
}
