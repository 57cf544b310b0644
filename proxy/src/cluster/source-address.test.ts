import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Issue } from '@weft/lib/issue';
import { compileSourceAddresses, sourceFor } from './source-address.ts';

function compile(config: Parameters<typeof compileSourceAddresses>[0]) {
  const issues: Issue[] = [];
  return { sources: compileSourceAddresses(config, { issues, path: 'bind' }), issues };
}

test('connects from the address of the family of the endpoint, else from the first', () => {
  const { sources } = compile({
    sourceAddress: { address: '127.0.0.6', portValue: 0 },
    extraSourceAddresses: [{ address: { address: '::6', portValue: 7 } }],
  });
  assert.ok(sources !== null);
  assert.deepEqual(sourceFor(sources, '10.0.0.1'), { localAddress: '127.0.0.6', localPort: 0 });
  assert.deepEqual(sourceFor(sources, 'fd00::1'), { localAddress: '::6', localPort: 7 });
  assert.deepEqual(sourceFor(sources.slice(0, 1), 'fd00::1'), { localAddress: '127.0.0.6', localPort: 0 });
});

test('leaves the address to the system where none is given, and refuses names', () => {
  assert.equal(compile(undefined).sources, null);
  assert.equal(compile({}).sources, null);
  const { issues } = compile({ sourceAddress: { address: 'localhost' } });
  assert.deepEqual(
    issues.map(({ code, path }) => `${code} ${path}`),
    ['WEFT0854 bind.source_address.address'],
  );
});
