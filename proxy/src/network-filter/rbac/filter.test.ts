import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PausedClock } from '@weft/lib/clock';
import type { Issue } from '@weft/lib/issue';
import { MetricsRegistry } from '@weft/lib/metrics';
import { packAny } from '@weft/lib/protobuf/codec';
import { fakeConnection } from '../../../../test/kit/logged-view.ts';
import { fault } from '../../fault/fault.ts';
import { silentLog } from '../../security/security-log.ts';
import { DecisionLog } from '../../telemetry/decisions.ts';
import { compileNetworkRbac } from './config.ts';

const type = 'envoy.extensions.filters.network.rbac.v3.RBAC';
const origin = { kind: 'AuthorizationPolicy', namespace: 'default', name: 'local', file: 'authz.yaml', line: 3 };
const listener = { origins: { listener: null, policies: new Map(), allowPolicies: [origin] } };
const info = fakeConnection({ remoteAddress: '10.0.0.1', listener });
const decisions = new DecisionLog();
const report = { clock: new PausedClock(), decisions, log: silentLog };

test('refuses a connection before its first byte and counts it', () => {
  const metrics = new MetricsRegistry();
  const issues: Issue[] = [];
  const local = { directRemoteIp: { addressPrefix: '127.0.0.0', prefixLen: 8 } };
  const rules = { policies: { local: { permissions: [{ any: true }], principals: [local] } } };
  const filter = compileNetworkRbac(
    packAny(type, { statPrefix: 'tcp.', rules }),
    { ...report, metrics },
    { issues, path: 'f' },
  );
  assert.equal(filter?.onConnection(info), fault.access_denied);
  const [decision] = decisions.recent();
  assert.equal(decision?.code, 'access_denied');
  assert.equal(decision?.client, '10.0.0.1:50000');
  assert.deepEqual(decision?.refusal?.policies, [origin]);
  assert.equal(filter?.onConnection(fakeConnection({ remoteAddress: '127.0.0.1', listener })), null);
  const scope = metrics.scope({ prefix: 'tcp.' });
  assert.equal(scope.counter('rbac.denied').value, 1);
  assert.equal(scope.counter('rbac.allowed').value, 1);
});

test('reports a missing stat_prefix and bad rules together', () => {
  const issues: Issue[] = [];
  const any = packAny(type, { rules: { policies: { p: {} } } });
  assert.equal(compileNetworkRbac(any, { ...report, metrics: new MetricsRegistry() }, { issues, path: 'f' }), null);
  assert.deepEqual(
    issues.map((issue) => issue.code),
    ['WEFT0735', 'WEFT0731', 'WEFT0731'],
  );
});
