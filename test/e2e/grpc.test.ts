// gRPC in a whole mesh: a real client and server with their sidecars, and a browser's calls at the gateway.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { interopCases } from '../conformance/grpc/case.ts';
import { simpleRequest, simpleResponse } from '../conformance/grpc/message.ts';
import { RunningMesh } from './running-mesh.ts';

const program = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

const resources = `
apiVersion: v1
kind: Service
metadata: { name: cart }
spec: { ports: [{ name: grpc-web, port: 9000 }], selector: { app: cart } }
---
apiVersion: weft.dev/v1alpha1
kind: Process
metadata: { name: cart, labels: { app: cart } }
spec: { command: [node, ${program('grpc-server.ts')}], ports: [{ name: grpc-web, port: 9000, protocol: grpc-web }] }
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: edge }
spec:
  selector: { istio: ingressgateway }
  servers: [{ port: { number: 8080, name: grpc-web, protocol: GRPC-WEB }, hosts: ['*'] }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: cart }
spec:
  hosts: ['*']
  gateways: [edge]
  http:
    - corsPolicy:
        allowOrigins: [{ exact: 'https://shop.example' }]
        allowMethods: [POST]
        allowHeaders: [content-type, x-grpc-web]
        exposeHeaders: [grpc-status, grpc-message]
      route: [{ destination: { host: cart, port: { number: 9000 } } }]
`;

const origin = 'https://shop.example';
const path = '/grpc.testing.TestService/UnaryCall';

/** A message as gRPC frames it. */
function frame(message: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

describe('gRPC in a mesh', () => {
  const folder = mkdtempSync(join(tmpdir(), 'weft-grpc-'));
  const mesh = new RunningMesh(folder);

  before(async () => {
    writeFileSync(join(folder, 'mesh.yaml'), resources);
    await mesh.start();
  });

  after(async () => {
    await mesh.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  it('passes every interoperability case from one program to another', async () => {
    const command = ['node', program('grpc-caller.ts'), 'cart:9000'];
    const { out, err, status } = await mesh.weft('run', '--service', 'client', '--port', '80', '--', ...command);
    const passed = [...out.matchAll(/^passed (\S+)$/gm)].map((match) => match[1]);
    assert.deepEqual(passed, Object.keys(interopCases), err);
    assert.equal(status, 0);
  });

  it('answers the preflight of a browser, and its call in gRPC-Web', async () => {
    const preflight = await fetch(mesh.run.ingress + path, {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'POST' },
    });
    assert.equal(preflight.headers.get('access-control-allow-origin'), origin);
    assert.equal(preflight.headers.get('access-control-allow-headers'), 'content-type,x-grpc-web');

    const response = await fetch(mesh.run.ingress + path, {
      method: 'POST',
      headers: { origin, 'content-type': 'application/grpc-web+proto' },
      body: new Uint8Array(frame(simpleRequest.encode({ responseSize: 1000 }))),
    });
    assert.equal(response.headers.get('access-control-expose-headers'), 'grpc-status,grpc-message');
    const body = Buffer.from(await response.arrayBuffer());
    const length = body.readUInt32BE(1);
    assert.equal(simpleResponse.decode(body.subarray(5, 5 + length)).payload?.body?.length, 1000);
    assert.equal(body[5 + length], 0x80);
    assert.match(body.toString('latin1', 10 + length), /^grpc-status: 0\r\n/m);
  });

  it('counts calls by method in front of the server', async () => {
    const admin = mesh.run.workloads.find(({ name }) => name.startsWith('cart'))?.admin ?? '';
    const stats = await (await fetch(`${admin}/stats?filter=grpc`)).text();
    assert.match(stats, /cluster\.inbound\|9000\|\|\.grpc\.grpc\.testing\.TestService\.EmptyCall\.success: [1-9]/);
    assert.doesNotMatch(stats, /Unimplemented/);
  });
});
