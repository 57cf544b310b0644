// Proxies under our control plane, Weft's and real Envoy: they take what they are sent and forward by it.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer, type Server } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { freePorts } from '../kit/ports.ts';
import { waitFor, within } from '../kit/until.ts';
import { AdsUnderTest } from './ads-under-test.ts';
import { fetchText, ProxyProcess, type ProxyProgram, programs, until } from './proxy-process.ts';

/** Far less than a person would call a stall, far more than a machine under load needs. */
const greetingWaitMs = 2500;

const id = 'sidecar~127.0.0.1~client.default~default.svc.cluster.local';

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

const entry = (name: string, app: string, version: string, port: number) => `
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: ${name} }
spec: { address: 127.0.0.1, ports: { main: ${port} }, labels: { app: ${app}, version: ${version} } }`;

function describeSidecar(program: ProxyProgram, api: 'GRPC' | 'DELTA_GRPC'): void {
  describe(`${program.name} as a sidecar whose ports are bound, ${api}`, { skip: program.skip }, () => {
    const mesh = new AdsUnderTest({ mutualTls: 'DISABLE' });
    const apps = ['v1', 'v2'].map((version) =>
      createServer((request, response) => response.end(`${version} ${request.headers.host} ${request.url}`)),
    );
    let servicePort = 0;
    let config: (version: string) => string;
    let proxy: ProxyProcess;

    before(async () => {
      await mesh.start();
      const [first = 0, second = 0] = await Promise.all(apps.map(listening));
      [servicePort = 0] = await freePorts(1);
      config = (version) => `
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { ports: [{ name: http, port: ${servicePort}, targetPort: main }], selector: { app: web } }
---${entry('web-v1', 'web', 'v1', first)}
---${entry('web-v2', 'web', 'v2', second)}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: web }
spec:
  host: web
  subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: web }
spec: { hosts: [web], http: [{ route: [{ destination: { host: web, subset: ${version} } }] }] }`;
      mesh.apply(config('v1'));
      proxy = await ProxyProcess.start(program, mesh.address, { id, metadata: { INTERCEPTION_MODE: 'NONE' } }, api);
    });

    after(async () => {
      await proxy?.stop();
      mesh.stop();
      for (const app of apps) app.close();
    });

    test('takes listeners, routes, clusters and endpoints, and forwards a request', async () => {
      const answer = await until(async () => {
        const { status, body } = await fetchText(servicePort, '/hello', { host: 'web' });
        return status === 200 ? body : null;
      }, 'a request is forwarded');
      assert.equal(answer, 'v1 web /hello');
      const dump = await proxy.dump();
      assert.match(dump, new RegExp(`0\\.0\\.0\\.0_${servicePort}`));
      assert.match(dump, /web\.default\.svc\.cluster\.local:\d+/);
      assert.match(dump, /outbound\|\d+\|v1\|web\.default\.svc\.cluster\.local/);
      assert.equal(mesh.ads.statuses()[0]?.lastNack, null);
    });

    test('follows changed routes without failing a request', async () => {
      for (const version of ['v2', 'v1', 'v2']) {
        const revision = mesh.apply(config(version));
        assert.deepEqual((await mesh.ads.waitForRevision(revision, 10_000)).missing, []);
        await until(async () => {
          const { status, body } = await fetchText(servicePort, '/', { host: `web:${servicePort}` });
          assert.equal(status, 200);
          return body.startsWith(version) ? body : null;
        }, 'the new route is used');
      }
    });
  });
}

/** Speaks by hand over a tunnel: what comes back until the peer is silent with `awaited`. */
function tunnel(port: number, authority: string, payload: string, awaited: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    socket.setEncoding('latin1');
    socket.setTimeout(10_000, () => socket.destroy(new Error(`no answer in the tunnel, only ${JSON.stringify(text)}`)));
    socket.on('error', reject);
    socket.on('end', () => resolve(text));
    socket.on('data', (chunk: string) => {
      const hadHead = text.includes('\r\n\r\n');
      text += chunk;
      if (!hadHead && text.startsWith('HTTP/1.1 200') && text.includes('\r\n\r\n')) socket.write(payload);
      if (!awaited.test(text)) return;
      socket.destroy();
      resolve(text);
    });
    socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
  });
}

function describeCapture(program: ProxyProgram): void {
  describe(`${program.name} as a local sidecar`, { skip: program.skip }, () => {
    const mesh = new AdsUnderTest({ mutualTls: 'DISABLE' });
    const app = createServer((request, response) => response.end(`app ${request.headers.host} ${request.url}`));
    const echo = createTcpServer((socket) => socket.on('error', () => {}).pipe(socket));
    // As a mail or database server: the client waits for its greeting.
    const greeter = createTcpServer((socket) => socket.on('error', () => {}).write('220 ready\r\n'));
    let capturePort = 0;
    let echoPort = 0;
    let appPort = 0;
    let ownPort = 0;
    let mailPort = 0;
    let declaredPort = 0;
    let proxy: ProxyProcess;

    before(async () => {
      await mesh.start();
      appPort = await listening(app);
      echoPort = await listening(echo);
      const greeterPort = await listening(greeter);
      [capturePort = 0, ownPort = 0, mailPort = 0, declaredPort = 0] = await freePorts(4);
      mesh.apply(`
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { ports: [{ name: http, port: 9080, targetPort: main }], selector: { app: web } }
---
apiVersion: v1
kind: Service
metadata: { name: echo }
spec: { ports: [{ name: tcp, port: 7, targetPort: main }], selector: { app: echo } }
---
apiVersion: v1
kind: Service
metadata: { name: either }
spec: { ports: [{ port: 70, targetPort: main }], selector: { app: echo } }
---
apiVersion: v1
kind: Service
metadata: { name: mail }
spec: { ports: [{ port: 25, targetPort: main }, { name: tcp-mail, port: 26, targetPort: main }], selector: { app: mail } }
---${entry('web-v1', 'web', 'v1', appPort)}
---${entry('echo-v1', 'echo', 'v1', echoPort)}
---${entry('mail-v1', 'mail', 'v1', greeterPort)}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: web }
spec:
  hosts: [web]
  http:
    - match: [{ uri: { prefix: /abort } }]
      fault: { abort: { httpStatus: 418, percentage: { value: 100 } } }
      route: [{ destination: { host: web } }]
    - route: [{ destination: { host: web } }]`);
      const inbound = [
        { name: 'http', servicePort: 9080, protocol: 'http', listenPort: ownPort, targetPort: appPort },
        { name: 'mail', servicePort: 25, protocol: 'auto', listenPort: mailPort, targetPort: greeterPort },
        { name: 'tcp-mail', servicePort: 26, protocol: 'tcp', listenPort: declaredPort, targetPort: greeterPort },
      ];
      const metadata = { WEFT_LOCAL: { capture: { port: capturePort }, inbound } };
      proxy = await ProxyProcess.start(program, mesh.address, { id, metadata }, 'GRPC');
      await until(async () => {
        const { status } = await fetchText(capturePort, 'http://web:9080/');
        return status === 200 ? true : null;
      }, 'the capture listener serves');
    });

    after(async () => {
      await proxy?.stop();
      mesh.stop();
      app.close();
      echo.close();
      greeter.close();
    });

    test('accepts everything', () => {
      assert.deepEqual(
        mesh.ads.statuses().map(({ lastNack }) => lastNack),
        [null],
      );
    });

    test('forwards absolute-form requests by any name of the service', async () => {
      for (const name of ['web:9080', 'web', 'web.default', 'web.default.svc', 'web.default.svc.cluster.local:9080']) {
        assert.deepEqual(await fetchText(capturePort, `http://${name}/x`, { host: name }), {
          status: 200,
          body: `app ${name} /x`,
        });
      }
    });

    test('applies the routes to absolute-form requests and inside tunnels alike', async () => {
      assert.equal((await fetchText(capturePort, 'http://web:9080/abort')).status, 418);
      const request = 'GET /abort HTTP/1.1\r\nHost: web:9080\r\n\r\n';
      assert.match(await tunnel(capturePort, 'web:9080', request, /HTTP\/1\.1 418/), /418/);
    });

    test('serves HTTP in a tunnel', async () => {
      const request = 'GET /tunnelled HTTP/1.1\r\nHost: web\r\n\r\n';
      const answer = await tunnel(capturePort, 'web:80', request, /tunnelled$|tunnelled\r\n/);
      assert.match(answer, /app web \/tunnelled/);
    });

    test('carries bytes to a TCP service, and to one that declares no protocol', async () => {
      assert.match(await tunnel(capturePort, 'echo:7', 'ping\n', /ping\n$/), /200[\s\S]*ping\n$/);
      assert.match(await tunnel(capturePort, 'either:70', 'pong\n', /pong\n$/), /200[\s\S]*pong\n$/);
    });

    test('gives a client the greeting that it waits for, whether the port is declared or not', async () => {
      for (const port of [25, 26]) {
        const greeting = tunnel(capturePort, `mail:${port}`, '', /ready\r\n$/);
        assert.match(await within(`the greeting of port ${port}`, greeting, greetingWaitMs), /220 ready/);
      }
      for (const port of [mailPort, declaredPort]) {
        const socket = connect(port, '127.0.0.1');
        const [greeting] = await waitFor(socket, 'data', greetingWaitMs);
        assert.equal(String(greeting), '220 ready\r\n');
        socket.destroy();
      }
    });

    test('passes on what no service has', async () => {
      assert.deepEqual(await fetchText(capturePort, `http://127.0.0.1:${appPort}/out`), {
        status: 200,
        body: `app 127.0.0.1:${capturePort} /out`.replace(String(capturePort), String(appPort)),
      });
      assert.match(await tunnel(capturePort, `127.0.0.1:${echoPort}`, 'away\n', /away\n$/), /away\n$/);
    });

    const onlyAddresses = program === programs[1] ? 'Envoy goes to addresses only' : false;
    test('passes on what only the resolver knows', { skip: onlyAddresses }, async () => {
      const authority = `localhost:${appPort}`;
      assert.deepEqual(await fetchText(capturePort, `http://${authority}/out`, { host: authority }), {
        status: 200,
        body: `app ${authority} /out`,
      });
      assert.match(await tunnel(capturePort, `localhost:${echoPort}`, 'away\n', /away\n$/), /200[\s\S]*away\n$/);
      assert.equal((await fetchText(capturePort, 'http://no-such-host.invalid/')).status, 503);
    });

    test('takes requests for the workload itself', async () => {
      const { status, body } = await fetchText(ownPort, '/own', { host: 'web' });
      assert.deepEqual([status, body], [200, 'app web /own']);
    });
  });
}

function describeClosed(program: ProxyProgram): void {
  describe(`${program.name} as a local sidecar of a mesh that lets out only what it knows`, {
    skip: program.skip,
  }, () => {
    const mesh = new AdsUnderTest({ mutualTls: 'DISABLE', outboundPolicy: 'REGISTRY_ONLY' });
    const app = createServer((_request, response) => response.end('app'));

    after(() => {
      mesh.stop();
      app.close();
    });

    test('refuses everything else, and says why', async (context) => {
      await mesh.start();
      const appPort = await listening(app);
      const [capturePort = 0] = await freePorts(1);
      mesh.apply(entry('web-v1', 'web', 'v1', appPort));
      const metadata = { WEFT_LOCAL: { capture: { port: capturePort } } };
      const proxy = await ProxyProcess.start(program, mesh.address, { id, metadata }, 'GRPC');
      context.after(() => proxy.stop());
      for (const host of [`127.0.0.1:${appPort}`, `localhost:${appPort}`]) {
        const answer = await until(async () => {
          const found = await fetchText(capturePort, `http://${host}/`);
          return found.status === 0 ? null : found;
        }, 'the capture listener serves');
        assert.equal(answer.status, 502);
        assert.match(answer.body, /^WEFT0612: .*REGISTRY_ONLY.*ServiceEntry/);
        const refusal = await tunnel(capturePort, host, '', /ServiceEntry/);
        assert.match(refusal, /^HTTP\/1\.1 502 [\s\S]*\r\n\r\nWEFT0612: /);
      }
    });
  });
}

for (const program of programs) {
  describeSidecar(program, 'GRPC');
  describeSidecar(program, 'DELTA_GRPC');
  describeCapture(program);
  describeClosed(program);
}
