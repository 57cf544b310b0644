import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '../../test/kit/folder.ts';
import { until } from '../../test/kit/until.ts';

const main = fileURLToPath(new URL('../main.mjs', import.meta.url));

function isHealthy(url: URL): Promise<boolean> {
  return new Promise((resolve) => {
    const call = get(url, { timeout: 1000 }, ({ statusCode }) => resolve(statusCode === 200));
    call.on('timeout', () => call.destroy());
    call.on('error', () => resolve(false));
  });
}

test('serves, and stops when told, while the disk of its log is full', {
  skip: !existsSync('/dev/full'),
}, async (context) => {
  const folder = temporaryFolder(context);
  const tokenFile = join(folder, 'token');
  writeFileSync(tokenFile, 'a-token-for-the-test');
  const full = openSync('/dev/full', 'w');
  const args = ['--state', folder, '--token-file', tokenFile, '--api-port', '0', '--xds-port', '0'];
  const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', full, 'inherit'] });
  closeSync(full);
  context.after(() => child.kill('SIGKILL'));
  const kubeconfig = join(folder, 'kubeconfig');
  await until('it has started', () => existsSync(kubeconfig));
  const { server } = JSON.parse(readFileSync(kubeconfig, 'utf8')).clusters[0].cluster;
  assert.ok(await isHealthy(new URL('/healthz', server.replace('https:', 'http:'))));
  const exited = once(child, 'exit', { signal: AbortSignal.timeout(10_000) });
  child.kill('SIGTERM');
  assert.deepEqual(await exited, [0, null]);
});
