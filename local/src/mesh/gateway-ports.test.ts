import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { describe, it } from 'node:test';
import { claimPort, PortPicker, tryPort } from '../port/free-port.ts';
import { declaredPorts, GatewayPorts } from './gateway-ports.ts';

const gateway = (selector: Record<string, string> | undefined, ...numbers: number[]) => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'Gateway',
  metadata: { name: 'g', namespace: 'default' },
  spec: { selector, servers: numbers.map((number) => ({ port: { number } })) },
});

describe('ports of the ingress gateway', () => {
  it('are those of Gateways that select it', () => {
    const ports = declaredPorts([
      gateway({ istio: 'ingressgateway' }, 80, 443),
      gateway({ istio: 'egressgateway' }, 444),
      gateway(undefined, 9000),
    ]);
    assert.deepEqual([...ports], [80, 443, 9000]);
  });

  it('are the ingress port for 80 and 8080, their own number where it is free, another where it is not', async (context) => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    context.after(() => taken.close());
    const busy = (taken.address() as AddressInfo).port;
    const picker = new PortPicker();
    const free = await picker.pick();
    const ports = new GatewayPorts(12345, picker);
    assert.equal(await ports.add([80, 8080]), false);
    assert.equal(await ports.add([free, busy]), true);
    assert.equal(ports.mapping['80'], 12345);
    assert.equal(ports.mapping['8080'], 12345);
    assert.equal(ports.mapping[free], free);
    assert.notEqual(ports.mapping[busy], busy);
    assert.deepEqual(Object.keys(ports.moved), [String(busy)]);
    assert.equal(await ports.add([busy]), false);
  });
});

describe('the port picker', () => {
  it('never gives a port twice, also to callers at the same time', async () => {
    const picker = new PortPicker();
    const ports = await Promise.all(Array.from({ length: 40 }, () => picker.pick()));
    assert.equal(new Set(ports).size, 40);
    for (const port of ports) assert.equal(await tryPort(port), null);
  });

  it('takes a fixed port as it is, and any free one for 0', async () => {
    const picker = new PortPicker();
    const port = await new PortPicker().pick();
    assert.equal(await claimPort(port, '--x', picker), port);
    assert.ok((await claimPort(0, '--x', picker)) > 0);
  });

  it('refuses a fixed port that was claimed for something else', async () => {
    const picker = new PortPicker();
    const port = await claimPort(await new PortPicker().pick(), '--x', picker);
    await assert.rejects(claimPort(port, '--y', picker), /port \d+ is given twice; choose another with --y N/);
  });
});
