// The proxy as a process: signals, exit status, what it says about a bad configuration.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { proxyNodeFlags } from '@weft/proxy/node-flags';
import { fetchOnce, openClient } from '../../kit/client.ts';
import { temporaryFolder } from '../../kit/folder.ts';
import { until } from '../../kit/until.ts';
import { after, echo, startUpstream } from '../../kit/upstream.ts';
import { cluster, httpManager, listener, routeTo } from './fixture.ts';
import { startProxyProcess } from './process.ts';

const entry = fileURLToPath(new URL('../../../proxy/src/main.ts', import.meta.url));

function run(...args: string[]) {
  return spawnSync(process.execPath, [entry, ...args], { encoding: 'utf8', timeout: 20_000 });
}

describe('the proxy process', () => {
  it('lets requests in flight finish after SIGTERM and ends with status 0', async (context) => {
    let open = () => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const upstream = await startUpstream(context, [after(gate, echo())]);
    const proxy = await startProxyProcess(context, {
      listeners: [listener('main', httpManager([routeTo('a')]))],
      clusters: [cluster('a', [upstream.port])],
    });
    const client = await openClient(context, await proxy.port('main'));
    client.request('GET', '/slow');
    await upstream.request(1);
    proxy.child.kill('SIGTERM');
    await until('it says that it stops', () => proxy.log.some((line) => line.includes('"stopping"')));
    open();
    assert.equal((await client.response()).text, 'GET /slow');
    assert.equal(await proxy.ended(), 0);
  });

  it('ends when asked over its admin port', async (context) => {
    const proxy = await startProxyProcess(context, { listeners: [], clusters: [] });
    const { request } = await import('node:http');
    request({ host: '127.0.0.1', port: proxy.adminPort, method: 'POST', path: '/quitquitquit', agent: false }).end();
    assert.equal(await proxy.ended(), 0);
  });

  it('opens its log files anew after SIGUSR1', async (context) => {
    const upstream = await startUpstream(context);
    const path = join(temporaryFolder(context), 'access.log');
    const proxy = await startProxyProcess(context, {
      listeners: [listener('main', httpManager([routeTo('a')], { logPath: path, logFormat: '%REQ(:PATH)%' }))],
      clusters: [cluster('a', [upstream.port])],
    });
    const port = await proxy.port('main');
    await fetchOnce(context, port, '/before');
    await until('the first line is there', () => readFileSync(path, 'utf8') === '/before\n');
    renameSync(path, `${path}.1`);
    proxy.child.kill('SIGUSR1');
    await until('there is a new file', () => existsSync(path));
    await fetchOnce(context, port, '/after');
    await until('the second line is there', () => readFileSync(path, 'utf8') === '/after\n');
    assert.equal(readFileSync(`${path}.1`, 'utf8'), '/before\n');
  });

  it('lets no debugger in when SIGUSR1 comes before it listens for that', () => {
    const early = 'data:text/javascript,process.kill(process.pid, "SIGUSR1")';
    const args = [...proxyNodeFlags, '--import', early, entry, '--help'];
    const { stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 20_000 });
    assert.doesNotMatch(stderr, /Debugger listening/);
    const launcher = readFileSync(new URL('../../../weft', import.meta.url), 'utf8');
    for (const flag of proxyNodeFlags) assert.match(launcher, new RegExp(`proxy .*${flag} `));
  });

  it('goes on after SIGHUP, and says that it has no effect', async (context) => {
    const proxy = await startProxyProcess(context, { listeners: [], clusters: [] });
    proxy.child.kill('SIGHUP');
    await until('it says so', () => proxy.log.some((line) => line.includes('SIGHUP has no effect')));
    assert.equal(JSON.parse(await proxy.admin('/server_info')).state, 'LIVE');
  });

  it('writes its log as JSON lines', async (context) => {
    const proxy = await startProxyProcess(context, { listeners: [], clusters: [] });
    for (const line of proxy.log) assert.equal(typeof JSON.parse(line).message, 'string');
  });
});

describe('a bad configuration', () => {
  it('is refused with every finding and its place, status 1', (context) => {
    const path = join(temporaryFolder(context), 'bad.yaml');
    writeFileSync(
      path,
      `static_resources:
  clusters:
  - name: a
    type: STATIC
    lb_policy: NO_SUCH
  listeners:
  - name: main
    addres: 1
`,
    );
    const result = run('-c', path);
    assert.equal(result.status, 1);
    assert.match(result.stderr, /bad\.yaml:5:5: error WEFT\d{4} .*static_resources\.clusters\[0\]\.lb_policy/);
    assert.match(result.stderr, /bad\.yaml:8:5: error WEFT\d{4} .*static_resources\.listeners\[0\]\.addres/);
  });

  it('has its place also where the parts do not fit together', (context) => {
    const path = join(temporaryFolder(context), 'bad.json');
    const main = { name: 'main', address: { socket_address: { address: '127.0.0.1', port_value: 70_000 } } };
    writeFileSync(path, JSON.stringify({ static_resources: { listeners: [main] } }, null, 2));
    assert.match(
      run('-c', path).stderr,
      /bad\.json:9:13: error WEFT0103 .*listeners\[0\]\.address\.socket_address\.port_value/,
    );
    const listeners = [listener('main', httpManager([routeTo('a'), routeTo('b')]))];
    writeFileSync(path, JSON.stringify({ static_resources: { listeners, clusters: [cluster('a', [1])] } }, null, 2));
    const result = run('-c', path);
    assert.equal(result.status, 1);
    const place =
      'static_resources.listeners[0].filter_chains[0].filters[0].typed_config.route_config.virtual_hosts[0]';
    assert.equal(
      result.stderr,
      `${path}:42:31: error WEFT0342 Bootstrap/bad.json ${place}.routes[1].route.cluster: there is no cluster "b"; ` +
        'add it, correct the name, or turn validate_clusters off\n',
    );
  });

  it('is told by name when it is not there or no YAML, status 1', (context) => {
    assert.equal(run('-c', '/nonexistent.yaml').status, 1);
    assert.match(run('-c', '/nonexistent.yaml').stderr, /nonexistent\.yaml/);
    const path = join(temporaryFolder(context), 'broken.yaml');
    writeFileSync(path, 'static_resources: [\n');
    const result = run('-c', path);
    assert.equal(result.status, 1);
    assert.match(result.stderr, /broken\.yaml:\d+/);
  });

  it('can be found without starting anything', (context) => {
    const path = join(temporaryFolder(context), 'good.json');
    writeFileSync(
      path,
      JSON.stringify({
        static_resources: { clusters: [cluster('a', [1])], listeners: [listener('main', httpManager([routeTo('a')]))] },
      }),
    );
    const result = run('-c', path, '--mode', 'validate');
    assert.equal(result.stderr, '');
    assert.equal(result.status, 0);
    assert.match(result.stdout, /OK/);
  });

  it('is checked without binding a port', async (context) => {
    const path = join(temporaryFolder(context), 'good.json');
    const taken = await startUpstream(context);
    const busy = { socket_address: { address: '127.0.0.1', port_value: taken.port } };
    const named = (name: string, type: string) => ({
      ...cluster(name, []),
      type,
      load_assignment: {
        cluster_name: name,
        endpoints: [
          {
            lb_endpoints: [
              { endpoint: { address: { socket_address: { address: 'no-such-host.invalid', port_value: 80 } } } },
            ],
          },
        ],
      },
    });
    writeFileSync(
      path,
      JSON.stringify({
        admin: { address: busy },
        static_resources: {
          clusters: [named('strict', 'STRICT_DNS'), named('logical', 'LOGICAL_DNS')],
          listeners: [{ ...listener('main', httpManager([routeTo('strict')])), address: busy }],
        },
      }),
    );
    const result = run('-c', path, '--mode', 'validate');
    assert.equal(result.stderr, '');
    assert.equal(result.status, 0);
  });

  it('on the command line gives the usage and status 2', () => {
    assert.equal(run().status, 2);
    assert.match(run('--no-such-flag').stderr, /usage: weft proxy/);
    assert.equal(run('--help').status, 0);
  });
});
