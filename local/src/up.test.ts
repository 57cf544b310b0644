import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '../../test/kit/folder.ts';
import { runUp } from './up.ts';

const testdata = (name: string): string => fileURLToPath(new URL(`./mesh/testdata/${name}`, import.meta.url));

test('told to stop while programs start, it stops and calls nothing late', async (context) => {
  const folder = temporaryFolder(context);
  const neverListens = {
    apiVersion: 'weft.dev/v1alpha1',
    kind: 'Process',
    metadata: { name: 'web', namespace: 'default' },
    spec: { command: ['sleep', '60'], ports: [{ name: 'http', port: 80 }] },
  };
  writeFileSync(join(folder, 'objects.json'), JSON.stringify([neverListens]));
  const written: string[] = [];
  const write = (text: string): void => {
    written.push(text);
    if (text === 'web: starting\n') process.emit('SIGINT');
  };
  const options = {
    configFolder: folder,
    ingressPort: 0,
    apiPort: 0,
    env: { WEFT_HOME: join(folder, 'state') },
    proxyEntry: testdata('fake-proxy.mjs'),
    controlPlaneEntry: testdata('fake-control-plane.mjs'),
  };
  assert.equal(await runUp(options, { write }), 0);
  assert.ok(written.includes('stopping …\n'));
  assert.doesNotMatch(written.join(''), /not everything is ready/);
});

test('says by code why it cannot start, when all has stopped', async (context) => {
  const folder = temporaryFolder(context);
  const state = join(folder, 'state');
  mkdirSync(state);
  writeFileSync(join(state, 'token'), 'this-token-is-bad');
  const controlPlaneEntry = testdata('fake-control-plane.mjs');
  const options = { configFolder: folder, ingressPort: 0, apiPort: 0, env: { WEFT_HOME: state }, controlPlaneEntry };
  const written: string[] = [];
  await assert.rejects(runUp(options, { write: (text) => written.push(text) }), { code: 'WEFT0831' });
  assert.equal(written.at(-1), 'istio-ingressgateway: stopping\n');
});
