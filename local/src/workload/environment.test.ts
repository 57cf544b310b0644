import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { proxyBootstrap } from './bootstrap.ts';
import { environmentOf, pathWithNode } from './environment.ts';
import { probeTarget } from './probe.ts';
import { protocolOf, tcpPortsOf } from './tcp-services.ts';
import { credentialHash, type TcpService, type Workload, workloadName } from './workload.ts';

const port = { name: 'http', servicePort: 9080, protocol: 'http', listenPort: 20001, targetPort: 20002 } as const;
const workload: Workload = {
  name: 'reviews-v1',
  process: 'reviews-v1',
  namespace: 'shop',
  serviceAccount: 'reviews',
  labels: { app: 'reviews', version: 'v1' },
  hasProxy: true,
  adminPort: 20003,
  capturePort: 20004,
  credential: 'a-secret',
  ports: [port, { ...port, name: 'admin-api', servicePort: 9090, listenPort: 20005, targetPort: 20006 }],
  readiness: null,
};
const redis: TcpService = {
  host: 'my-redis.shop.svc.cluster.local',
  service: 'my-redis',
  portName: 'tcp-redis',
  port: 6379,
  listenPort: 20007,
};

describe("a program's environment", () => {
  it('says where to listen', () => {
    const env = environmentOf(workload, [], {}, {});
    assert.equal(env.PORT, '20002');
    assert.equal(env.PORT_HTTP, '20002');
    assert.equal(env.PORT_ADMIN_API, '20006');
  });

  it('names the sidecar as forward proxy in both cases, with the credential', () => {
    const env = environmentOf(workload, [], {}, { HTTP_PROXY: 'http://corporate:3128' });
    for (const name of ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'https_proxy'])
      assert.equal(env[name], 'http://weft:a-secret@127.0.0.1:20004');
    for (const name of ['NO_PROXY', 'no_proxy']) assert.equal(env[name], 'localhost,127.0.0.1,::1');
    assert.equal(env.NODE_USE_ENV_PROXY, '1');
  });

  it('leaves the proxy variables alone for a process without a sidecar', () => {
    const env = environmentOf({ ...workload, hasProxy: false }, [], {}, { HTTP_PROXY: 'http://corporate:3128' });
    assert.equal(env.HTTP_PROXY, 'http://corporate:3128');
    assert.equal(env.NODE_USE_ENV_PROXY, undefined);
  });

  it('offers TCP services as Kubernetes does', () => {
    const env = environmentOf(workload, [redis, { ...redis, portName: 'tcp-bus', listenPort: 20008 }], {}, {});
    assert.equal(env.MY_REDIS_SERVICE_HOST, '127.0.0.1');
    assert.equal(env.MY_REDIS_SERVICE_PORT, '20007');
    assert.equal(env.MY_REDIS_SERVICE_PORT_TCP_REDIS, '20007');
    assert.equal(env.MY_REDIS_SERVICE_PORT_TCP_BUS, '20008');
  });

  it('means the service of the own namespace by a name that others have too, and mixes no two services', () => {
    const other: TcpService = {
      ...redis,
      host: 'my-redis.aaa.svc.cluster.local',
      portName: 'tcp-old',
      listenPort: 20009,
    };
    const env = environmentOf(workload, [other, redis], {}, {});
    assert.equal(env.MY_REDIS_SERVICE_PORT, '20007');
    assert.equal(env.MY_REDIS_SERVICE_PORT_TCP_OLD, undefined);
    assert.equal(environmentOf(workload, [other], {}, {}).MY_REDIS_SERVICE_PORT, '20009');
  });

  it('lets the definition win, and hands on nothing of ours or of npm', () => {
    const inherited = {
      HOME: '/home/me',
      WEFT_HOME: '/x',
      WEFT_TETHER: '3',
      NODE_COMPILE_CACHE: '/y',
      npm_lifecycle_event: 'start',
    };
    const env = environmentOf(workload, [], { PORT: '1', COLOR: 'red' }, inherited);
    assert.equal(env.PORT, '1');
    assert.equal(env.COLOR, 'red');
    assert.equal(env.HOME, '/home/me');
    for (const name of ['WEFT_HOME', 'WEFT_TETHER', 'NODE_COMPILE_CACHE', 'npm_lifecycle_event'])
      assert.ok(!(name in env), name);
  });
});

describe('the PATH of a program', () => {
  it('is left alone when its node is this one', () => {
    const path = `${dirname(process.execPath)}:/bin`;
    assert.equal(pathWithNode(path), path);
  });

  it('gets this Node in front when its node is older, or when it has none', (context) => {
    const folder = mkdtempSync(join(tmpdir(), 'weft-path-'));
    context.after(() => rmSync(folder, { recursive: true, force: true }));
    assert.equal(pathWithNode(folder), `${dirname(process.execPath)}:${folder}`);
    writeFileSync(join(folder, 'node'), '#!/bin/sh\necho v20.20.2\n');
    chmodSync(join(folder, 'node'), 0o755);
    assert.equal(pathWithNode(folder), `${dirname(process.execPath)}:${folder}`);
  });

  it('is left alone when its node is newer', (context) => {
    const folder = mkdtempSync(join(tmpdir(), 'weft-path-'));
    context.after(() => rmSync(folder, { recursive: true, force: true }));
    writeFileSync(join(folder, 'node'), '#!/bin/sh\necho v99.0.0\n');
    chmodSync(join(folder, 'node'), 0o755);
    assert.equal(pathWithNode(folder), folder);
  });
});

describe('the protocol of a service port', () => {
  for (const [given, protocol] of [
    [{ name: 'http' }, 'http'],
    [{ name: 'tcp-redis' }, 'tcp'],
    [{ name: 'grpc-web-x' }, 'grpc-web'],
    [{ name: 'x', appProtocol: 'TCP' }, 'tcp'],
    [{}, ''],
  ] as const) {
    it(`of ${JSON.stringify(given)} is '${protocol}'`, () => assert.equal(protocolOf(given), protocol));
  }

  it('decides which services are offered by a port of the sidecar', () => {
    const service = (name: string, ports: unknown[]) => ({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace: 'shop' },
      spec: { ports },
    });
    const found = tcpPortsOf([
      service('web', [{ name: 'http', port: 80 }, { port: 81 }]),
      service('my-redis', [
        { name: 'tcp-redis', port: 6379 },
        { name: 'tcp', port: 1, protocol: 'UDP' },
      ]),
    ]);
    assert.deepEqual(found, [
      { host: 'my-redis.shop.svc.cluster.local', service: 'my-redis', portName: 'tcp-redis', port: 6379 },
    ]);
  });
});

describe('the bootstrap of a sidecar', () => {
  const address = { xdsPort: 15010, trustDomain: 'cluster.local', rootFile: '/state/root.pem' };
  const bootstrap = JSON.parse(
    JSON.stringify(proxyBootstrap(workload, { tcp: [redis], gateway: null }, address, '/state/token')),
  );

  it('names the workload as Istio does', () => {
    assert.equal(bootstrap.node.id, 'sidecar~127.0.0.1~reviews-v1.shop~shop.svc.cluster.local');
    assert.equal(bootstrap.node.metadata.NAMESPACE, 'shop');
    assert.equal(bootstrap.node.metadata.SERVICE_ACCOUNT, 'reviews');
  });

  it('tells the control plane which ports are ours, and only the hash of the credential', () => {
    assert.deepEqual(bootstrap.node.metadata.WEFT_LOCAL, {
      capture: { port: 20004, credentialSha256: credentialHash('a-secret') },
      inbound: JSON.parse(JSON.stringify(workload.ports)),
      tcp: [{ host: 'my-redis.shop.svc.cluster.local', port: 6379, listenPort: 20007 }],
    });
    assert.ok(!JSON.stringify(bootstrap).includes('a-secret'));
  });

  it('asks for the identity of the service account', () => {
    assert.equal(bootstrap.bootstrap_extensions[0].typed_config.spiffe_id, 'spiffe://cluster.local/ns/shop/sa/reviews');
  });

  it('of a gateway says on which real ports it listens', () => {
    const gateway = JSON.parse(
      JSON.stringify(proxyBootstrap(workload, { tcp: [], gateway: { '80': 8080 } }, address, '/t')),
    );
    assert.equal(gateway.node.id, 'router~127.0.0.1~reviews-v1.shop~shop.svc.cluster.local');
    assert.deepEqual(gateway.node.metadata.WEFT_LOCAL, { gateway: { '80': 8080 } });
  });
});

describe('what a readiness check asks', () => {
  for (const [name, readiness, target] of [
    ['the first port without a check', null, { port: 20002, path: null }],
    ['a path at the first port', { httpGet: { path: '/health' } }, { port: 20002, path: '/health' }],
    ["a port by the service's number", { httpGet: { path: '/', port: 9090 } }, { port: 20006, path: '/' }],
    ['any other port as it is', { tcpSocket: { port: 5000 } }, { port: 5000, path: null }],
  ] as const) {
    it(`is ${name}`, () => assert.deepEqual(probeTarget(readiness, workload.ports), target));
  }

  it('is nothing for a process without ports', () => assert.equal(probeTarget(null, []), null));
});

describe('the name of a replica', () => {
  it("is the process's for the first and numbered from the second on", () => {
    assert.deepEqual(
      [0, 1, 9].map((replica) => workloadName('web', replica)),
      ['web', 'web-r2', 'web-r10'],
    );
  });
});
