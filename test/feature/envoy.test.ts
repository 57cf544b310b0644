// Real Envoy under our control plane: it takes what a sidecar gets and forwards requests by it. Skipped where Envoy is absent.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { AdsUnderTest } from './ads-under-test.ts';
import { EnvoyProcess, fetchText, findEnvoy, until } from './envoy-process.ts';

const envoy = findEnvoy();
const skip = envoy === null ? 'Envoy is neither in $WEFT_ENVOY, $ENVOY_BIN nor on $PATH' : false;
const id = 'sidecar~127.0.0.1~client.default~default.svc.cluster.local';

for (const api of ['GRPC', 'DELTA_GRPC'] as const) {
  describe(`real Envoy, ${api}`, { skip }, () => {
    const mesh = new AdsUnderTest({ mutualTls: 'DISABLE' });
    const apps = ['v1', 'v2'].map((version) =>
      createServer((request, response) => response.end(`${version} ${request.headers.host} ${request.url}`)),
    );
    const ports: number[] = [];
    let servicePort = 0;
    let proxy: EnvoyProcess;

    const config = (version: string) => `
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { ports: [{ name: http, port: ${servicePort} }], selector: { app: web } }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: web-v1 }
spec: { address: 127.0.0.1, ports: { http: ${ports[0]} }, labels: { app: web, version: v1 } }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: web-v2 }
spec: { address: 127.0.0.1, ports: { http: ${ports[1]} }, labels: { app: web, version: v2 } }
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

    before(async () => {
      await mesh.start();
      for (const app of apps) {
        await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
        ports.push((app.address() as AddressInfo).port);
      }
      servicePort = await freePort();
      mesh.apply(config('v1'));
      const adsPort = Number(mesh.address.split(':')[1]);
      proxy = await EnvoyProcess.start(envoy ?? '', adsPort, { id, metadata: { INTERCEPTION_MODE: 'NONE' } }, api);
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
      assert.match(await proxy.dump('dynamic_listeners'), new RegExp(`0\\.0\\.0\\.0_${servicePort}`));
      assert.match(await proxy.dump('dynamic_route_configs'), /"web\.default\.svc\.cluster\.local:\d+"/);
      assert.match(await proxy.dump('dynamic_active_clusters'), /outbound\|\d+\|v1\|web\.default\.svc\.cluster\.local/);
      const [status] = mesh.ads.statuses();
      assert.equal(status?.lastNack, null);
    });

    test('follows a changed route without failing a request', async () => {
      const revision = mesh.apply(config('v2'));
      const { missing } = await mesh.ads.waitForRevision(revision, 10_000);
      assert.deepEqual(missing, []);
      await until(async () => {
        const { status, body } = await fetchText(servicePort, '/', { host: `web:${servicePort}` });
        assert.equal(status, 200);
        return body.startsWith('v2') ? body : null;
      }, 'the new route is used');
    });
  });
}

describe('real Envoy as a local sidecar', { skip }, () => {
  const mesh = new AdsUnderTest({ mutualTls: 'DISABLE' });
  const app = createServer((request, response) => response.end(`app ${request.url}`));
  let capturePort = 0;
  let proxy: EnvoyProcess;

  before(async () => {
    await mesh.start();
    await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
    capturePort = await freePort();
    mesh.apply(`
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { ports: [{ name: http, port: 9080 }], selector: { app: web } }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: web-v1 }
spec: { address: 127.0.0.1, ports: { http: ${(app.address() as AddressInfo).port} }, labels: { app: web } }`);
    const metadata = {
      WEFT_LOCAL: {
        capture: { port: capturePort },
        inbound: [{ name: 'http', servicePort: 9080, protocol: 'http', listenPort: await freePort(), targetPort: 1 }],
      },
    };
    proxy = await EnvoyProcess.start(envoy ?? '', Number(mesh.address.split(':')[1]), { id, metadata }, 'GRPC');
  });

  after(async () => {
    await proxy?.stop();
    mesh.stop();
    app.close();
  });

  test('forwards absolute-form requests by the capture listener', async () => {
    const answer = await until(async () => {
      const { status, body } = await fetchText(capturePort, 'http://web:9080/x');
      return status === 200 ? body : null;
    }, 'a request is forwarded');
    assert.equal(answer, 'app /x');
    assert.deepEqual(
      mesh.ads.statuses().map(({ lastNack }) => lastNack),
      [null],
    );
  });
});

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
