import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AnyResource } from '@weft/api/resource/kind';
import { meshOf, resource } from './model-kit.ts';

const workload = { namespace: 'default', labels: { app: 'web' } };
const policy = (place: string, spec: object, createdAt?: string) =>
  resource('PeerAuthentication', place, spec, createdAt === undefined ? {} : { creationTimestamp: createdAt });
const mode = (resources: AnyResource[], port = 80) => meshOf(resources).peerAuthentications.modeOf(workload, [port]);

const mesh = policy('istio-system/mesh', { mtls: { mode: 'PERMISSIVE' } });
const namespace = policy('default/all', { mtls: { mode: 'DISABLE' } });
const web = policy('default/web', { selector: { matchLabels: { app: 'web' } }, mtls: { mode: 'STRICT' } });

test('the narrowest policy decides: port, workload, namespace, mesh, default', () => {
  assert.equal(mode([]), 'STRICT');
  assert.equal(mode([mesh]), 'PERMISSIVE');
  assert.equal(mode([mesh, namespace]), 'DISABLE');
  assert.equal(mode([mesh, namespace, web]), 'STRICT');
  const port = policy('default/web', {
    selector: { matchLabels: { app: 'web' } },
    mtls: { mode: 'STRICT' },
    portLevelMtls: { '80': { mode: 'PERMISSIVE' } },
  });
  assert.equal(mode([mesh, namespace, port], 80), 'PERMISSIVE');
  assert.equal(mode([mesh, namespace, port], 81), 'STRICT');
});

test('what is unset is inherited', () => {
  const unset = policy('default/web', { selector: { matchLabels: { app: 'web' } }, mtls: { mode: 'UNSET' } });
  assert.equal(mode([mesh, namespace, unset]), 'DISABLE');
  assert.equal(mode([mesh, policy('default/all', {})]), 'PERMISSIVE');
});

test('policies of other workloads and namespaces do not count', () => {
  const other = policy('default/other', { selector: { matchLabels: { app: 'other' } }, mtls: { mode: 'DISABLE' } });
  assert.equal(mode([other, policy('elsewhere/all', { mtls: { mode: 'DISABLE' } })]), 'STRICT');
});

test('the oldest of two rivals wins', () => {
  const older = policy('default/z', { mtls: { mode: 'PERMISSIVE' } }, '2026-01-01T00:00:00Z');
  const younger = policy('default/a', { mtls: { mode: 'DISABLE' } }, '2026-02-01T00:00:00Z');
  assert.equal(mode([younger, older]), 'PERMISSIVE');
});
