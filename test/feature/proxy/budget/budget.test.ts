// What one request leaves to the garbage collector, on each path. Memory is what can be measured alike on a busy and on a quiet
// machine, and pauses and CPU time follow from it.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { makeSampleCertificate } from '@weft/lib/x509/sample-certificate';
import { proxyNodeFlags } from '@weft/proxy/node-flags';
import { cluster, http2Only, httpManager, listener, routeTo, tcpProxy } from '../fixture.ts';
import { type ProxyProcess, startProxyProcess } from '../process.ts';
import type { HeapReading } from './heap-probe.ts';
import { http1CloseLoad, http1Load, http2Load, type Load, startHttp1Upstream, startHttp2Upstream } from './load.ts';

const probe = fileURLToPath(new URL('./heap-probe.ts', import.meta.url));
/** Enough for the optimising compiler to have seen everything. */
const warmUp = 16_000;
const measured = 8_000;

async function read({ child }: ProxyProcess): Promise<HeapReading> {
  const answer = once(child, 'message');
  child.send('read');
  return (await answer)[0] as HeapReading;
}

function start(context: TestContext, resources: object): Promise<ProxyProcess> {
  return startProxyProcess(context, resources, { nodeFlags: [...proxyNodeFlags, '--import', probe] });
}

interface Cost {
  readonly allocated: number;
  /** Outlived their request so far that only a full collection frees them. */
  readonly aged: number;
}

async function costOnce(proxy: ProxyProcess, load: Load): Promise<Cost> {
  const before = await read(proxy);
  await load(measured);
  const after = await read(proxy);
  return { allocated: (after.allocated - before.allocated) / measured, aged: (after.old - before.old) / measured };
}

/**
 * Bytes per request, the middle one of three readings: on a busy machine a compiler that comes late leaves its work in one of them,
 * and a full collection may fall into another.
 */
async function cost(proxy: ProxyProcess, load: Load): Promise<Cost> {
  await load(warmUp);
  const readings = [await costOnce(proxy, load), await costOnce(proxy, load), await costOnce(proxy, load)];
  return {
    allocated: middle(readings.map(({ allocated }) => allocated)),
    aged: middle(readings.map(({ aged }) => aged)),
  };
}

function middle(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? assert.fail('there is none');
}

// Far below the floor something is no longer measured, or the budget is to be tightened.
function assertWithin(what: string, bytes: number, floor: number, budget: number): void {
  assert.ok(
    bytes >= floor && bytes <= budget,
    `${what}: ${bytes.toFixed(0)} bytes per request, expected ${floor} to ${budget}`,
  );
}

function tlsSocket(): object {
  const { pem, keyPem } = makeSampleCertificate();
  return {
    name: 'envoy.transport_sockets.tls',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext',
      common_tls_context: {
        tls_certificates: [{ certificate_chain: { inline_string: pem }, private_key: { inline_string: keyPem } }],
      },
    },
  };
}

describe('what a request leaves to the collector', () => {
  it('stays within its budget over HTTP/1.1', async (context) => {
    const port = await startHttp1Upstream(context);
    const proxy = await start(context, {
      listeners: [listener('main', httpManager([routeTo('backend')]))],
      clusters: [cluster('backend', [port])],
    });
    const { allocated, aged } = await cost(proxy, await http1Load(context, await proxy.port('main'), false));
    assertWithin('allocated', allocated, 1500, 4500);
    assertWithin('aged', aged, -2000, 40);
  });

  it('stays within its budget when each has a connection of its own', async (context) => {
    const port = await startHttp1Upstream(context);
    const proxy = await start(context, {
      listeners: [listener('main', httpManager([routeTo('backend')]))],
      clusters: [cluster('backend', [port])],
    });
    const { allocated, aged } = await cost(proxy, http1CloseLoad(await proxy.port('main')));
    assertWithin('allocated', allocated, 4000, 13_000);
    assertWithin('aged', aged, -2000, 100);
  });

  it('stays within its budget over TLS', async (context) => {
    const port = await startHttp1Upstream(context);
    const { filter_chains: chains, ...rest } = listener('main', httpManager([routeTo('backend')])) as {
      filter_chains: readonly object[];
    };
    const transport_socket = tlsSocket();
    const proxy = await start(context, {
      listeners: [{ ...rest, filter_chains: chains.map((chain) => ({ ...chain, transport_socket })) }],
      clusters: [cluster('backend', [port])],
    });
    const { allocated, aged } = await cost(proxy, await http1Load(context, await proxy.port('main'), true));
    assertWithin('allocated', allocated, 1500, 5200);
    assertWithin('aged', aged, -2000, 40);
  });

  it('stays within its budget over HTTP/2, with hundreds of streams open', async (context) => {
    const port = await startHttp2Upstream(context);
    const proxy = await start(context, {
      listeners: [listener('main', httpManager([routeTo('backend')]))],
      clusters: [cluster('backend', [port], http2Only)],
    });
    const { allocated, aged } = await cost(proxy, await http2Load(context, await proxy.port('main')));
    assertWithin('allocated', allocated, 1500, 5800);
    assertWithin('aged', aged, -2000, 60);
  });

  it('stays within its budget as plain TCP', async (context) => {
    const port = await startHttp1Upstream(context);
    const proxy = await start(context, {
      listeners: [listener('main', tcpProxy('backend'))],
      clusters: [cluster('backend', [port])],
    });
    const { allocated, aged } = await cost(proxy, await http1Load(context, await proxy.port('main'), false));
    assertWithin('allocated', allocated, 400, 2200);
    assertWithin('aged', aged, -2000, 40);
  });
});
