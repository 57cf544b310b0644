// The control plane as a process that is killed: what was good before a file broke is served again after the next start.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { temporaryFolder } from '../kit/folder.ts';
import { until } from '../kit/until.ts';

const entry = join(import.meta.dirname, '../../control-plane/main.mjs');
const token = 'a-token-long-enough';
const startMs = 20_000;

/** A line of its log. */
interface LogLine {
  readonly msg: string;
  readonly code?: string;
  readonly file?: string;
  readonly line?: number;
  readonly apiPort?: number;
}

class PlaneProcess {
  readonly log: LogLine[] = [];
  private readonly child: ChildProcess;

  constructor(context: TestContext, config: string, state: string) {
    const tokenFile = join(state, 'token');
    writeFileSync(tokenFile, token);
    const ports = ['--api-port', '0', '--xds-port', '0', '--plaintext-xds'];
    const args = [entry, '--config', config, '--state', state, '--token-file', tokenFile, ...ports];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    context.after(() => child.kill('SIGKILL'));
    createInterface({ input: child.stdout }).on('line', (line) => this.log.push(JSON.parse(line)));
    this.child = child;
  }

  async get(path: string): Promise<unknown> {
    const isReady = () => this.log.some(({ apiPort }) => apiPort !== undefined);
    await until('the control plane is ready', isReady, startMs);
    const port = this.log.find(({ apiPort }) => apiPort !== undefined)?.apiPort;
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { authorization: `Bearer ${token}` } });
    return response.json();
  }

  /** `reviews:9080`. */
  async services(): Promise<string> {
    const list = (await this.get('/api/v1/namespaces/default/services')) as {
      items: { metadata: { name: string }; spec: { ports: { port: number }[] } }[];
    };
    return list.items.map(({ metadata, spec }) => `${metadata.name}:${spec.ports[0]?.port}`).join(' ');
  }

  findings(): string[] {
    return this.log.flatMap(({ code, file, line }) =>
      code === undefined ? [] : [`${file?.split('/').at(-1)}:${line} ${code}`],
    );
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await once(this.child, 'exit');
  }
}

const service = (name: string, port: number) =>
  `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\nspec:\n  ports: [{port: ${port}}]\n`;

test('serves the last good content of a broken file after kill -9, and tells of it once', async (context) => {
  const config = temporaryFolder(context);
  const state = temporaryFolder(context);
  const file = join(config, 'mesh.yaml');
  writeFileSync(file, `${service('ratings', 9081)}---\n${service('reviews', 9080)}`);
  const first = new PlaneProcess(context, config, state);
  assert.equal(await first.services(), 'ratings:9081 reviews:9080');
  writeFileSync(file, `${service('ratings', 1)}---\n${service('reviews', 9080)}  port: [`);
  await until('the first finds the mistake', () => first.findings().length > 0);
  assert.equal(await first.services(), 'ratings:9081 reviews:9080');
  await first.kill();

  const second = new PlaneProcess(context, config, state);
  assert.equal(await second.services(), 'ratings:9081 reviews:9080');
  assert.deepEqual(second.findings(), ['mesh.yaml:12 WEFT0401']);
  const { issues } = (await second.get('/weft/v1/issues')) as { issues: { code: string }[] };
  assert.ok(issues.some(({ code }) => code === 'WEFT0401'));
  writeFileSync(file, service('ratings', 9082));
  await until('the file is mended', async () => (await second.services()) === 'ratings:9082');
  await second.kill();
});
