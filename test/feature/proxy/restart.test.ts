// Restarts under load: what a proxy took before SIGTERM it answers, and what it did not take may be sent again.

import assert from 'node:assert/strict';
import { Agent, get } from 'node:http';
import { describe, it } from 'node:test';
import { until } from '../../kit/until.ts';
import { closedPort, echo, type Step, startUpstream } from '../../kit/upstream.ts';
import { cluster, httpManager, listener, routeTo } from './fixture.ts';
import { startProxyProcess } from './process.ts';

const total = 1000;
const clients = 8;
const restarts = 3;

/** One GET; null when the proxy did not take it: refused, or ended before a byte of a response. */
function tryOnce(agent: Agent, port: number, path: string): Promise<{ status: number; text: string } | null> {
  return new Promise((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port, path, agent }, (response) => {
      let text = '';
      response.setEncoding('latin1').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      response.on('error', reject);
    });
    request.on('error', () => resolve(null));
  });
}

async function fetchRetrying(agent: Agent, port: number, path: string): Promise<{ status: number; text: string }> {
  for (;;) {
    const response = await tryOnce(agent, port, path);
    if (response !== null) return response;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe('a proxy that is restarted again and again', () => {
  it('loses none of 1,000 requests over kept connections, and sends none twice', async (context) => {
    // Each takes a moment, so that some are always under way.
    const slowEcho: Step = (socket, request) => {
      setTimeout(() => echo()(socket, request), 4);
    };
    const upstream = await startUpstream(context, [slowEcho]);
    const port = await closedPort();
    const address = { socket_address: { address: '127.0.0.1', port_value: port } };
    const resources = {
      listeners: [{ ...listener('main', httpManager([routeTo('a')])), address }],
      clusters: [cluster('a', [upstream.port])],
    };
    const agent = new Agent({ keepAlive: true, maxSockets: clients });
    context.after(() => agent.destroy());
    let proxy = await startProxyProcess(context, resources);
    let asked = 0;
    let answered = 0;
    const drive = async (): Promise<void> => {
      while (asked < total) {
        const path = `/${asked++}`;
        assert.deepEqual(await fetchRetrying(agent, port, path), { status: 200, text: `GET ${path}` });
        answered++;
      }
    };
    const load = Promise.all(Array.from({ length: clients }, drive));
    for (let i = 1; i <= restarts; i++) {
      const goal = (i * total) / (restarts + 1);
      await Promise.race([until(`${goal} are answered`, () => answered >= goal, 20_000), load]);
      assert.ok(answered < total, 'the load outlasts the restarts');
      proxy.child.kill('SIGTERM');
      assert.equal(await proxy.ended(), 0);
      proxy = await startProxyProcess(context, resources);
    }
    await load;
    assert.equal(answered, total);
    const seen = new Set(upstream.requests.map((request) => request.startLine));
    assert.equal(seen.size, total);
    assert.equal(upstream.requests.length, total, 'requests that went upstream were answered, not repeated');
  });
});
