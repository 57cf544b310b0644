// The TCP proxy on real sockets: ends of each side apart, with TLS and without; time limits, attempts, shares, the access log.

import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { messageFromJson } from '@weft/lib/protobuf/codec';
import { makeSampleCertificate } from '@weft/lib/x509/sample-certificate';
import { openClient } from '../../kit/client.ts';
import { LeapClock } from '../../kit/leap-clock.ts';
import { until, waitFor } from '../../kit/until.ts';
import { closedPort, startTcpServer } from '../../kit/upstream.ts';
import { cluster, fileLog, listener, startTestProxy, type TestProxy, tcpProxy } from './fixture.ts';

type Json = Readonly<Record<string, unknown>>;

const sockets = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3';
const certificate = makeSampleCertificate({ dnsNames: ['secure.test'] });
const inline = (text: string): Json => ({ inline_string: text });

const serverTls: Json = {
  name: 'tls',
  typed_config: {
    '@type': `${sockets}.DownstreamTlsContext`,
    common_tls_context: {
      tls_certificates: [{ certificate_chain: inline(certificate.pem), private_key: inline(certificate.keyPem) }],
    },
  },
};

const clientTls: Json = {
  name: 'tls',
  typed_config: {
    '@type': `${sockets}.UpstreamTlsContext`,
    sni: 'secure.test',
    common_tls_context: { validation_context: { trusted_ca: inline(certificate.pem) } },
  },
};

async function start(
  context: TestContext,
  ports: readonly number[],
  parts: { filter?: Json; cluster?: Json; tls?: boolean; log?: string } = {},
): Promise<TestProxy> {
  return startTestProxy(context, (logPath) => {
    const log = parts.log === undefined ? {} : { access_log: [fileLog(logPath, parts.log)] };
    const chain = { filters: [tcpProxy('a', { ...log, ...parts.filter })] };
    const secured = parts.tls === true ? { ...chain, transport_socket: serverTls } : chain;
    return {
      listeners: [{ ...listener('main'), filter_chains: [secured] }],
      clusters: [cluster('a', ports, parts.cluster)],
    };
  });
}

type Side = 'plain' | 'TLS';

/** A server that says what it got when the client ends, or ends first and then says nothing. */
async function startServer(context: TestContext, side: Side, onSocket: (socket: Socket) => void): Promise<number> {
  if (side === 'plain') return startTcpServer(context, onSocket);
  const options = { key: certificate.keyPem, cert: certificate.pem, allowHalfOpen: true };
  const secure = createTlsServer(options, onSocket);
  return startTcpServer(context, (socket) => secure.emit('connection', socket));
}

async function openSide(context: TestContext, side: Side, port: number): Promise<Socket> {
  const raw = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  context.after(() => raw.destroy());
  if (side === 'plain') {
    await waitFor(raw, 'connect');
    return raw;
  }
  const secure: TLSSocket = connectTls({ socket: raw, servername: 'secure.test', ca: certificate.pem });
  context.after(() => secure.destroy());
  await waitFor(secure, 'secureConnect');
  return secure;
}

async function readAll(socket: Socket): Promise<string> {
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  await waitFor(socket, 'end');
  return text;
}

describe('the end of one side leaves the other open', () => {
  for (const down of ['plain', 'TLS'] as const) {
    for (const up of ['plain', 'TLS'] as const) {
      it(`when the client ends first (${down} client, ${up} endpoint)`, async (context) => {
        const port = await startServer(context, up, (socket) => {
          void readAll(socket).then((text) => socket.end(`got ${text.length} bytes`));
        });
        const proxy = await start(context, [port], {
          tls: down === 'TLS',
          ...(up === 'TLS' ? { cluster: { transport_socket: clientTls } } : {}),
        });
        const client = await openSide(context, down, proxy.port());
        client.end('x'.repeat(200_000));
        assert.equal(await readAll(client), 'got 200000 bytes');
        await until('it is over', () => proxy.stat('tcp.test.downstream_cx_active') === 0);
      });

      it(`when the endpoint ends first (${down} client, ${up} endpoint)`, async (context) => {
        let received = '';
        const port = await startServer(context, up, (socket) => {
          socket.end('that was all');
          void readAll(socket).then((text) => {
            received = text;
          });
        });
        const proxy = await start(context, [port], {
          tls: down === 'TLS',
          ...(up === 'TLS' ? { cluster: { transport_socket: clientTls } } : {}),
        });
        const client = await openSide(context, down, proxy.port());
        assert.equal(await readAll(client), 'that was all');
        client.write('y'.repeat(100_000));
        client.end('z'.repeat(100_000));
        await until('everything is there', () => received.length === 200_000);
        await until('it is over', () => proxy.stat('tcp.test.downstream_cx_active') === 0);
        assert.equal(proxy.stat('cluster.a.upstream_cx_active'), 0);
      });
    }
  }
});

const socketsOpen = 'listener.127.0.0.1_0.downstream_cx_active';
const stepBytes = 32 * 1024;

/** A proxy whose one client and endpoint have both ended, with bytes that the kernel has no room for while the client does not read. */
async function leaveLastBytes(context: TestContext, clock: LeapClock, filter: Json): Promise<TestProxy> {
  const servers: Socket[] = [];
  const port = await startTcpServer(context, (socket) => servers.push(socket.resume()));
  const proxy = await startTestProxy(
    context,
    () => ({ listeners: [listener('main', tcpProxy('a', filter))], clusters: [cluster('a', [port])] }),
    clock,
  );
  const passed = (): number => proxy.stat('tcp.test.downstream_cx_tx_bytes_total');
  const isHeldBack = (): boolean => proxy.stat('cluster.a.upstream_flow_control_paused_reading_total') > pauses;
  let pauses = 0;
  // How much the kernel takes is found by trying, up to where the proxy holds the endpoint back.
  for (let steps = 10_000; ; ) {
    pauses = proxy.stat('cluster.a.upstream_flow_control_paused_reading_total');
    const client = (await openSide(context, 'plain', proxy.port())).pause();
    await until('the endpoint is there', () => servers.length > 0);
    const endpoint = servers.pop() ?? assert.fail();
    let sent = 0;
    for (; sent < steps && !isHeldBack(); sent++) {
      const before = passed();
      endpoint.write(Buffer.alloc(stepBytes));
      await until('it has passed', () => passed() === before + stepBytes || isHeldBack());
    }
    client.end();
    endpoint.end();
    if (isHeldBack()) steps = sent - 1;
    else {
      await until('the endpoint is done with', () => proxy.stat('cluster.a.upstream_cx_active') === 0);
      if (proxy.stat(socketsOpen) === 1) return proxy;
      steps++;
    }
    client.destroy();
    await until('all is over', () => proxy.stat(socketsOpen) === 0);
  }
}

describe('a TCP connection', () => {
  const chat = (socket: Socket): void => {
    socket.on('data', (chunk: Buffer) => socket.write(chunk));
    socket.on('end', () => socket.end());
  };

  it('that is silent in both directions ends after idle_timeout', async (context) => {
    const port = await startTcpServer(context, chat);
    const filter = { idle_timeout: '0.6s' };
    const proxy = await start(context, [port], { filter, log: '%RESPONSE_FLAGS% %CONNECTION_TERMINATION_DETAILS%' });
    const client = await openClient(context, proxy.port());
    for (let i = 1; i <= 4; i++) {
      client.send('.');
      await client.received(i);
      const passed = performance.now() + 200;
      await until('some time has passed', () => performance.now() > passed);
    }
    await client.closed();
    assert.equal(proxy.stat('tcp.test.idle_timeout'), 1);
    assert.deepEqual(await proxy.accessLog(), ['SI idle_timeout']);
  });

  it('ends after max_downstream_connection_duration, busy or not', async (context) => {
    const port = await startTcpServer(context, chat);
    const filter = { max_downstream_connection_duration: '0.1s' };
    const proxy = await start(context, [port], { filter, log: '%RESPONSE_FLAGS%' });
    const client = await openClient(context, proxy.port());
    client.send('hello');
    await client.received(5);
    await client.closed();
    assert.equal(proxy.stat('tcp.test.max_downstream_connection_duration'), 1);
    assert.deepEqual(await proxy.accessLog(), ['DT']);
  });

  for (const [limit, more] of [
    ['idle_timeout', { idle_timeout: '300s' }],
    ['max_downstream_connection_duration', { idle_timeout: '0s', max_downstream_connection_duration: '300s' }],
  ] as const) {
    it(`whose client does not take the last bytes ends after ${limit}`, async (context) => {
      const clock = new LeapClock();
      const proxy = await leaveLastBytes(context, clock, more);
      await clock.leap(200_000);
      assert.equal(proxy.stat(socketsOpen), 1);
      await clock.leap(100_000);
      await until('the socket is closed', () => proxy.stat(socketsOpen) === 0);
      assert.equal(proxy.stat(`tcp.test.${limit}`), 1);
      assert.equal(proxy.stat('tcp.test.downstream_cx_active'), 0);
    });
  }

  it('is tried at the hosts of a new version of the cluster', async (context) => {
    const clock = new LeapClock();
    const mute = await startTcpServer(context, () => {});
    const fresh = await startTcpServer(context, (socket) => socket.end('fresh'));
    const handshake = {
      transport_socket: {
        name: 'tls',
        typed_config: { '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext' },
      },
    };
    const proxy = await startTestProxy(
      context,
      () => ({
        listeners: [listener('main', tcpProxy('a', { max_connect_attempts: 2 }))],
        clusters: [cluster('a', [mute], { connect_timeout: '5s', ...handshake })],
      }),
      clock,
    );
    const client = await openClient(context, proxy.port());
    await until('it tries', () => proxy.stat('cluster.a.upstream_cx_active') === 1);
    const message = messageFromJson('envoy.config.cluster.v3.Cluster', cluster('a', [fresh]), []);
    proxy.running.clusters.prepare(new Map([['a', message]]), [], '2').commit();
    await clock.leap(6000);
    assert.equal(String(await client.received(5)), 'fresh');
  });

  it('is tried at other endpoints up to max_connect_attempts', async (context) => {
    const dead = [await closedPort(), await closedPort()];
    const port = await startTcpServer(context, chat);
    const proxy = await start(context, [...dead, port], {
      filter: { max_connect_attempts: 3 },
      log: '%UPSTREAM_REQUEST_ATTEMPT_COUNT% %RESPONSE_FLAGS%',
    });
    const client = await openClient(context, proxy.port());
    client.send('hello');
    await client.received(5);
    assert.ok(proxy.stat('cluster.a.upstream_cx_connect_fail') <= 2);
    assert.equal(proxy.stat('cluster.a.upstream_cx_connect_attempts_exceeded'), 0);
  });

  it('that no endpoint takes is counted when the attempts are used up', async (context) => {
    const proxy = await start(context, [await closedPort()], {
      filter: { max_connect_attempts: 3 },
      log: '%UPSTREAM_REQUEST_ATTEMPT_COUNT% %RESPONSE_FLAGS% %UPSTREAM_HOST%',
    });
    const client = await openClient(context, proxy.port());
    await client.closed();
    await until('it is logged', () => proxy.stat('tcp.test.downstream_cx_active') === 0);
    assert.match((await proxy.accessLog())[0] ?? '', /^3 UF\S* 127\.0\.0\.1:\d+$/);
    assert.equal(proxy.stat('cluster.a.upstream_cx_connect_fail'), 3);
    assert.equal(proxy.stat('cluster.a.upstream_cx_connect_attempts_exceeded'), 1);
  });

  it('is counted with its bytes while it lasts', async (context) => {
    const port = await startTcpServer(context, chat);
    const proxy = await start(context, [port]);
    const client = await openClient(context, proxy.port());
    client.send('hello');
    await client.received(5);
    const counted = () => ['rx', 'tx'].map((way) => proxy.stat(`tcp.test.downstream_cx_${way}_bytes_total`));
    assert.deepEqual(counted(), [5, 5]);
    client.close();
    await until('it is over', () => proxy.stat('tcp.test.downstream_cx_active') === 0);
    assert.deepEqual(counted(), [5, 5]);
  });

  it('is logged with its bytes, its time, both its ends and the cluster', async (context) => {
    const port = await startTcpServer(context, (socket) => {
      socket.resume().on('end', () => socket.end('four'));
    });
    const log =
      '%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %UPSTREAM_HOST% %UPSTREAM_CLUSTER% %RESPONSE_FLAGS% ' +
      '%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %UPSTREAM_LOCAL_ADDRESS% %ACCESS_LOG_TYPE% %RESPONSE_CODE%';
    const proxy = await start(context, [port], { log });
    const client = await openSide(context, 'plain', proxy.port());
    const own = client.localPort;
    client.end('sixsix');
    assert.equal(await readAll(client), 'four');
    await until('it is over', () => proxy.stat('tcp.test.downstream_cx_active') === 0);
    const ip = '127\\.0\\.0\\.1';
    const expected = new RegExp(
      `^6 4 \\d+ ${ip}:${port} a - ${ip}:${own} ${ip}:${proxy.port()} ${ip}:\\d+ TcpConnectionEnd 0$`,
    );
    assert.match((await proxy.accessLog())[0] ?? '', expected);
  });

  it('to an internal listener fails, and says what such a listener takes', async (context) => {
    const address = { envoy_internal_address: { server_listener_name: 'inside' } };
    const endpoints = [{ lb_endpoints: [{ endpoint: { address } }] }];
    const proxy = await start(context, [], {
      cluster: { load_assignment: { cluster_name: 'a', endpoints } },
      log: '%RESPONSE_FLAGS% %CONNECTION_TERMINATION_DETAILS%',
    });
    const client = await openClient(context, proxy.port());
    await client.closed();
    await until('it is over', () => proxy.stat('tcp.test.downstream_cx_active') === 0);
    assert.deepEqual(await proxy.accessLog(), [
      'UF the internal listener inside takes CONNECT requests of an HTTP route only',
    ]);
  });

  it('that the endpoint resets is reset towards the client, and says so', async (context) => {
    const port = await startTcpServer(context, (socket) => {
      socket.once('data', () => socket.resetAndDestroy());
    });
    const proxy = await start(context, [port], { log: '%RESPONSE_FLAGS%' });
    const client = await openSide(context, 'plain', proxy.port());
    let code: string | undefined;
    client.on('error', (error: NodeJS.ErrnoException) => {
      code = error.code;
    });
    client.resume().write('hello');
    await until('it is gone', () => client.destroyed);
    assert.equal(code, 'ECONNRESET');
    await until('it is over', () => proxy.stat('tcp.test.downstream_cx_active') === 0);
    assert.deepEqual(await proxy.accessLog(), ['UC']);
  });

  it('goes to weighted clusters by their shares', async (context) => {
    const counts = { heavy: 0, light: 0, none: 0 };
    const port = (name: keyof typeof counts): Promise<number> =>
      startTcpServer(context, (socket) => {
        counts[name]++;
        socket.end(name);
      });
    const ports = { heavy: await port('heavy'), light: await port('light'), none: await port('none') };
    const shares = [
      { name: 'heavy', weight: 90 },
      { name: 'light', weight: 10 },
      { name: 'none', weight: 0 },
    ];
    const proxy = await startTestProxy(context, () => ({
      listeners: [listener('main', tcpProxy('', { cluster: undefined, weighted_clusters: { clusters: shares } }))],
      clusters: Object.entries(ports).map(([name, one]) => cluster(name, [one])),
    }));
    for (let i = 0; i < 200; i++) {
      const client = await openClient(context, proxy.port());
      await client.received(5);
      client.close();
    }
    assert.equal(counts.none, 0);
    assert.equal(counts.heavy + counts.light, 200);
    // Twenty are expected; fewer than two or more than fifty happen once in many millions of runs.
    assert.ok(counts.light >= 2 && counts.light <= 50, `${counts.light}`);
  });

  it('goes to the same endpoint from the same address where the source is hashed', async (context) => {
    const names: string[] = [];
    const ports = await Promise.all(
      ['one', 'two', 'three', 'four'].map((name) =>
        startTcpServer(context, (socket) => {
          names.push(name);
          socket.end(name);
        }),
      ),
    );
    const proxy = await start(context, ports, {
      filter: { hash_policy: [{ source_ip: {} }] },
      cluster: { lb_policy: 'RING_HASH' },
    });
    for (let i = 0; i < 12; i++) {
      const client = await openClient(context, proxy.port());
      await client.received(3);
      client.close();
    }
    assert.deepEqual([...new Set(names)].length, 1);
  });
});
