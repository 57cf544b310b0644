import assert from 'node:assert/strict';
import { test } from 'node:test';
import { meshOf, resource } from './model-kit.ts';

test('a ServiceEntry means its hosts as it writes them, also one without a dot', () => {
  const mesh = meshOf([
    resource('ServiceEntry', 'db', {
      hosts: ['DB', 'localhost'],
      ports: [{ number: 80, name: 'http', protocol: 'HTTP' }],
      resolution: 'DNS',
    }),
  ]);
  assert.deepEqual(
    mesh.services.map(({ host }) => host),
    ['db', 'localhost'],
  );
  assert.deepEqual(
    mesh.endpoints.get('default/db:80')?.map(({ address }) => address),
    ['db'],
  );
});
