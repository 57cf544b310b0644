import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClientTls } from '@weft/api/resource/traffic-policy';
import { unpackAny } from '@weft/lib/protobuf/codec';
import { resource } from '../../model/model-kit.ts';
import { snapshotOf, webHost, webService } from '../translate-kit.ts';

/** The names of which a server's certificate must have one. */
function namesFor(tls: ClientTls): unknown {
  const rule = resource('DestinationRule', 'web', { host: 'web', trafficPolicy: { tls } });
  const cluster = snapshotOf([webService, rule]).clusters.get(`outbound|80||${webHost}`);
  const config = cluster?.transportSocket?.typedConfig;
  assert.ok(config !== undefined);
  const { commonTlsContext } = unpackAny(config, 'envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext');
  return commonTlsContext?.validationContext?.matchTypedSubjectAltNames?.map(({ matcher }) => matcher?.exact);
}

test('an empty list of names is none: the certificate has to be that of the host', () => {
  assert.deepEqual(namesFor({ mode: 'SIMPLE' }), [webHost]);
  assert.deepEqual(namesFor({ mode: 'SIMPLE', subjectAltNames: [] }), [webHost]);
  assert.deepEqual(namesFor({ mode: 'SIMPLE', subjectAltNames: [], sni: 'web.example' }), ['web.example']);
  assert.deepEqual(namesFor({ mode: 'SIMPLE', subjectAltNames: ['a.example'] }), ['a.example']);
});
