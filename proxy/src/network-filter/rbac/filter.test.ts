import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Issue } from '@weft/lib/issue';
import { MetricsRegistry } from '@weft/lib/metrics';
import { packAny } from '@weft/lib/protobuf/codec';
import { fault } from '../../fault/fault.ts';
import type { ConnectionInfo } from '../../io/connection-info.ts';
import { silentLog } from '../../security/security-log.ts';
import { compileNetworkRbac } from './config.ts';

const type = 'envoy.extensions.filters.network.rbac.v3.RBAC';
const info = { remoteAddress: '10.0.0.1', peer: null } as unknown as ConnectionInfo;

test('refuses a connection before its first byte and counts it', () => {
  const metrics = new MetricsRegistry();
  const issues: Issue[] = [];
  const local = { directRemoteIp: { addressPrefix: '127.0.0.0', prefixLen: 8 } };
  const rules = { policies: { local: { permissions: [{ any: true }], principals: [local] } } };
  const filter = compileNetworkRbac(
    packAny(type, { statPrefix: 'tcp.', rules }),
    { metrics, log: silentLog },
    { issues, path: 'f' },
  );
  assert.equal(filter?.onConnection(info), fault.access_denied);
  assert.equal(filter?.onConnection({ ...info, remoteAddress: '127.0.0.1' }), null);
  const scope = metrics.scope({ prefix: 'tcp.' });
  assert.equal(scope.counter('rbac.denied').value, 1);
  assert.equal(scope.counter('rbac.allowed').value, 1);
});

test('reports a missing stat_prefix and bad rules together', () => {
  const issues: Issue[] = [];
  const any = packAny(type, { rules: { policies: { p: {} } } });
  assert.equal(
    compileNetworkRbac(any, { metrics: new MetricsRegistry(), log: silentLog }, { issues, path: 'f' }),
    null,
  );
  assert.deepEqual(
    issues.map((issue) => issue.code),
    ['WEFT0735', 'WEFT0731', 'WEFT0731'],
  );
});
