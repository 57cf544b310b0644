import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resource } from '../../model/model-kit.ts';
import { snapshotOf, targetsOf, webHost, webService } from '../translate-kit.ts';

const route = (number: number) => [{ destination: { host: 'web', port: { number } } }];

test('a VirtualService none of whose rules fits a port or a caller leaves the service as it is', () => {
  const byPort = { hosts: ['web'], http: [{ match: [{ port: 8080 }], route: route(80) }] };
  const hosts = targetsOf(snapshotOf([webService, resource('VirtualService', 'web', byPort)]), 'capture');
  assert.deepEqual(hosts[`${webHost}:8080`], [`outbound|80||${webHost}`]);
  assert.deepEqual(hosts[`${webHost}:80`], [`outbound|80||${webHost}`]);
  const byCaller = { hosts: ['web'], http: [{ match: [{ sourceLabels: { app: 'other' } }], route: route(8080) }] };
  const others = targetsOf(snapshotOf([webService, resource('VirtualService', 'web', byCaller)]), 'capture');
  assert.deepEqual(others[`${webHost}:80`], [`outbound|80||${webHost}`]);
});

test('a host that only a VirtualService knows is a name like any other where none of its rules fits', () => {
  const spec = { hosts: ['only.example'], http: [{ match: [{ sourceNamespace: 'other' }], route: route(80) }] };
  const hosts = targetsOf(snapshotOf([webService, resource('VirtualService', 'only', spec)]), 'capture');
  assert.deepEqual(
    Object.keys(hosts).filter((name) => name.includes('only')),
    [],
  );
});

test('a direct response may have as long a body as a VirtualService is taken with', () => {
  const http = [{ directResponse: { status: 200, body: { string: 'a'.repeat(5000) } } }];
  const table = snapshotOf([webService, resource('VirtualService', 'web', { hosts: ['web'], http })]).routes.get(
    'capture',
  );
  assert.equal(table?.maxDirectResponseBodySizeBytes, 1024 * 1024);
});
