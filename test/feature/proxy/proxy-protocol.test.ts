// The PROXY protocol through the real proxy: whom a connection is for is believed, judged and told on.

import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { makeSampleCertificate } from '@weft/lib/x509/sample-certificate';
import { encodeHeader } from '@weft/proxy/protocol/proxy-protocol/encode';
import { openClient, type RawClient } from '../../kit/client.ts';
import { until, waitFor } from '../../kit/until.ts';
import { echo, reply, type Step, startTcpServer, startUpstream } from '../../kit/upstream.ts';
import {
  cluster,
  fileLog,
  httpManager,
  listener,
  routeTo,
  startTestProxy,
  type TestProxy,
  tcpProxy,
} from './fixture.ts';

type Json = Readonly<Record<string, unknown>>;

const typeUrl = 'type.googleapis.com/envoy.extensions';
const v1 = 'PROXY TCP4 192.0.2.1 198.51.100.1 50000 443\r\n';
const ends = { source: { address: '192.0.2.1', port: 50_000 }, destination: { address: '198.51.100.1', port: 443 } };
const v2 = encodeHeader({ version: 2, ends, tlvs: [{ type: 0xea, value: Buffer.from('vpce-1') }] });
const addresses =
  '%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%';

/** A listener that reads headers. */
function behindBalancer(one: Json, filter: Json = {}, more: Json = {}): Json {
  const typed = { '@type': `${typeUrl}.filters.listener.proxy_protocol.v3.ProxyProtocol`, ...filter };
  const listenerFilters = [{ name: 'envoy.filters.listener.proxy_protocol', typed_config: typed }];
  return { ...one, listener_filters: listenerFilters, ...more };
}

async function httpProxy(
  context: TestContext,
  filter: Json = {},
  more: Json = {},
  step: Step = echo(),
): Promise<TestProxy> {
  const upstream = await startUpstream(context, [step]);
  return startTestProxy(context, (logPath) => {
    const manager = httpManager([routeTo('a')], {
      manager: { use_remote_address: true },
      logPath,
      logFormat: addresses,
    });
    return {
      listeners: [behindBalancer(listener('main', manager), filter, more)],
      clusters: [cluster('a', [upstream.port])],
    };
  });
}

/** A server that answers whatever it is sent with the same in brackets. */
function startEcho(context: TestContext): Promise<number> {
  return startTcpServer(context, (socket) => {
    socket.on('data', (chunk: Buffer) => socket.write(`<${chunk.toString('latin1')}>`, 'latin1'));
    socket.on('end', () => socket.end());
  });
}

async function closedWithoutAnswer(client: RawClient): Promise<void> {
  await client.closed();
  assert.equal(client.rest.length, 0);
}

describe('a PROXY protocol header from a load balancer', () => {
  for (const [name, header] of [
    ['version 1', Buffer.from(v1)],
    ['version 2', v2],
  ] as const) {
    it(`of ${name} says who the client is`, async (context) => {
      const proxy = await httpProxy(context, { stat_prefix: 'edge' });
      const client = await openClient(context, proxy.port());
      client.send(header);
      const answer = await client.fetch('GET', '/');
      assert.equal(answer.headers['seen-x-forwarded-for'], '192.0.2.1');
      // The connection goes on: the header came once.
      assert.equal((await client.fetch('GET', '/again')).text, 'GET /again');
      assert.deepEqual((await proxy.accessLog())[0], '192.0.2.1:50000 198.51.100.1:443 127.0.0.1');
      const version = name === 'version 1' ? 'v1' : 'v2';
      assert.equal(proxy.stat(`proxy_proto.edge.versions.${version}.found`), 1);
    });
  }

  it('may come byte by byte, with the request right behind it', async (context) => {
    const proxy = await httpProxy(context);
    const client = await openClient(context, proxy.port());
    const all = Buffer.concat([v2, Buffer.from('GET / HTTP/1.1\r\nhost: a\r\n\r\n')]);
    for (const byte of all) {
      await new Promise((resolve) => client.socket.write(Buffer.from([byte]), resolve));
    }
    assert.equal((await client.response()).headers['seen-x-forwarded-for'], '192.0.2.1');
  });

  for (const [name, header] of [
    ['UNKNOWN', Buffer.from('PROXY UNKNOWN\r\n')],
    ['LOCAL', encodeHeader({ version: 2, ends: null, tlvs: [] })],
  ] as const) {
    it(`that says ${name} leaves the connection's own addresses`, async (context) => {
      const proxy = await httpProxy(context);
      const client = await openClient(context, proxy.port());
      client.send(header);
      assert.equal((await client.fetch('GET', '/')).headers['seen-x-forwarded-for'], '127.0.0.1');
    });
  }

  it('stands in front of TLS', async (context) => {
    const upstream = await startUpstream(context);
    const certificate = makeSampleCertificate({ dnsNames: ['web.test'] });
    const proxy = await startTestProxy(context, () => {
      const one = listener('main', httpManager([routeTo('a')], { manager: { use_remote_address: true } }));
      const chain = { ...(one.filter_chains as Json[])[0], transport_socket: serverTls(certificate) };
      return {
        listeners: [behindBalancer({ ...one, filter_chains: [chain] })],
        clusters: [cluster('a', [upstream.port])],
      };
    });
    const raw = await openClient(context, proxy.port());
    raw.socket.removeAllListeners('data');
    raw.send(v2);
    const secure = connectTls({ socket: raw.socket, servername: 'web.test', ca: certificate.pem });
    await waitFor(secure, 'secureConnect');
    secure.write('GET / HTTP/1.1\r\nhost: web.test\r\n\r\n');
    const [answer] = await waitFor(secure, 'data');
    assert.match(String(answer), /seen-x-forwarded-for: 192\.0\.2\.1\r\n/);
  });

  const refused: readonly [name: string, bytes: string, stat: string][] = [
    ['is malformed', 'PROXY TCP4 192.0.2.300 1.1.1.1 1 1\r\n', 'versions.v1.error'],
    ['does not end', `PROXY UNKNOWN ${'x'.repeat(100)}`, 'versions.v1.error'],
    ['is missing', 'GET / HTTP/1.1\r\nhost: a\r\n\r\n', 'not_found_disallowed'],
  ];
  for (const [name, bytes, stat] of refused) {
    it(`that ${name} ends the connection, with a statistic`, async (context) => {
      const proxy = await httpProxy(context);
      const client = await openClient(context, proxy.port());
      client.send(bytes);
      await closedWithoutAnswer(client);
      assert.equal(proxy.stat(`proxy_proto.${stat}`), 1);
      assert.equal(proxy.stat('downstream_cx_proxy_proto_error'), 1);
    });
  }

  it('of a version that is not allowed ends the connection', async (context) => {
    const proxy = await httpProxy(context, { disallowed_versions: ['V1'] });
    const client = await openClient(context, proxy.port());
    client.send(v1);
    await closedWithoutAnswer(client);
    assert.equal(proxy.stat('proxy_proto.versions.v1.disallowed'), 1);
  });

  it('may be missing where that is allowed', async (context) => {
    const proxy = await httpProxy(context, { allow_requests_without_proxy_protocol: true });
    const client = await openClient(context, proxy.port());
    assert.equal((await client.fetch('GET', '/')).headers['seen-x-forwarded-for'], '127.0.0.1');
    const balancer = await openClient(context, proxy.port());
    balancer.send(v1);
    assert.equal((await balancer.fetch('GET', '/')).headers['seen-x-forwarded-for'], '192.0.2.1');
    assert.equal(proxy.stat('proxy_proto.not_found_allowed'), 1);
  });

  it('is waited for no longer than listener_filters_timeout', async (context) => {
    const proxy = await httpProxy(context, {}, { listener_filters_timeout: '0.05s', stat_prefix: 'front' });
    const client = await openClient(context, proxy.port());
    client.send('PROXY TC');
    await closedWithoutAnswer(client);
    const silent = await openClient(context, proxy.port());
    await closedWithoutAnswer(silent);
    assert.equal(proxy.stat('listener.front.downstream_pre_cx_timeout'), 2);
  });

  it('is not to be got round by waiting where silence is taken for TCP', async (context) => {
    const inspector = { '@type': `${typeUrl}.filters.listener.tls_inspector.v3.TlsInspector` };
    const port = await startTcpServer(context, (socket) => socket.write('hello'));
    const start = (filter: Json): Promise<TestProxy> => {
      const one = behindBalancer(listener('main', tcpProxy('a')), filter);
      const filters = [...(one.listener_filters as Json[]), { name: 'tls', typed_config: inspector }];
      const waiting = { listener_filters_timeout: '0.05s', continue_on_listener_filters_timeout: true };
      return startTestProxy(context, () => ({
        listeners: [{ ...one, ...waiting, listener_filters: filters }],
        clusters: [cluster('a', [port])],
      }));
    };
    const strict = await start({});
    for (const text of ['', 'PROXY TC']) {
      const client = await openClient(context, strict.port());
      client.send(text);
      await closedWithoutAnswer(client);
    }
    assert.equal(strict.stat('proxy_proto.not_found_disallowed'), 2);
    const carried = await openClient(context, strict.port());
    carried.send(v1);
    assert.equal(String(await carried.received(5)), 'hello');
    const lenient = await start({ allow_requests_without_proxy_protocol: true });
    const direct = await openClient(context, lenient.port());
    assert.equal(String(await direct.received(5)), 'hello');
  });
});

function serverTls(certificate: { pem: string; keyPem: string }): Json {
  const own = {
    certificate_chain: { inline_string: certificate.pem },
    private_key: { inline_string: certificate.keyPem },
  };
  const typed = {
    '@type': `${typeUrl}.transport_sockets.tls.v3.DownstreamTlsContext`,
    common_tls_context: { tls_certificates: [own] },
  };
  return { name: 'tls', typed_config: typed };
}

describe('the client that a header names', () => {
  it('chooses the filter chain by source_prefix_ranges, the balancer by direct_source_prefix_ranges', async (context) => {
    const ports = [
      await startNamed(context, 'named'),
      await startNamed(context, 'direct'),
      await startNamed(context, 'other'),
    ];
    const range = (address: string) => [{ address_prefix: address, prefix_len: 32 }];
    const proxy = await startTestProxy(context, () => ({
      listeners: [
        behindBalancer({
          ...listener('main'),
          filter_chains: [
            { filter_chain_match: { source_prefix_ranges: range('192.0.2.1') }, filters: [tcpProxy('named')] },
            { filter_chain_match: { direct_source_prefix_ranges: range('192.0.2.2') }, filters: [tcpProxy('direct')] },
            {
              filter_chain_match: { source_prefix_ranges: range('192.0.2.3'), source_ports: [1] },
              filters: [tcpProxy('direct')],
            },
            {
              filter_chain_match: { source_prefix_ranges: range('192.0.2.3'), source_ports: [50_000] },
              filters: [tcpProxy('named')],
            },
            { filters: [tcpProxy('other')] },
          ],
        }),
      ],
      clusters: ['named', 'direct', 'other'].map((name, i) => cluster(name, [ports[i] as number])),
    }));
    const cases: readonly [address: string, cluster: string][] = [
      ['192.0.2.1', 'named'],
      ['192.0.2.2', 'other'],
      ['192.0.2.3', 'named'],
    ];
    for (const [address, expected] of cases) {
      const client = await openClient(context, proxy.port());
      client.send(`PROXY TCP4 ${address} 198.51.100.1 50000 443\r\n`);
      assert.equal((await client.received(expected.length)).toString(), expected, address);
    }
  });

  it('is what network RBAC judges as source_ip; direct_remote_ip stays the balancer', async (context) => {
    const port = await startNamed(context, 'in');
    const rbac = (principal: string, address: string) => ({
      name: 'envoy.filters.network.rbac',
      typed_config: {
        '@type': `${typeUrl}.filters.network.rbac.v3.RBAC`,
        stat_prefix: 'r',
        rules: {
          policies: {
            one: {
              permissions: [{ any: true }],
              principals: [{ [principal]: { address_prefix: address, prefix_len: 32 } }],
            },
          },
        },
      },
    });
    const proxy = await startTestProxy(context, () => ({
      listeners: [
        behindBalancer(
          listener('main', rbac('source_ip', '192.0.2.1'), rbac('direct_remote_ip', '127.0.0.1'), tcpProxy('a')),
        ),
      ],
      clusters: [cluster('a', [port])],
    }));
    const client = await openClient(context, proxy.port());
    client.send(v1);
    assert.equal((await client.received(2)).toString(), 'in');
    const other = await openClient(context, proxy.port());
    other.send(v1.replace('192.0.2.1', '192.0.2.9'));
    await closedWithoutAnswer(other);
  });

  it('has TLVs, which the rules turn into metadata', async (context) => {
    const port = await startNamed(context, 'in');
    const rules = [
      { tlv_type: 0xea, on_tlv_present: { key: 'endpoint' } },
      { tlv_type: 0xeb, on_tlv_present: { key: 'none' } },
    ];
    const format =
      '%DYNAMIC_METADATA(envoy.filters.listener.proxy_protocol:endpoint)% %DYNAMIC_METADATA(envoy.filters.listener.proxy_protocol:none)%';
    const proxy = await startTestProxy(context, (logPath) => ({
      listeners: [
        behindBalancer(listener('main', tcpProxy('a', { access_log: [fileLog(logPath, format)] })), { rules }),
      ],
      clusters: [cluster('a', [port])],
    }));
    const client = await openClient(context, proxy.port());
    client.send(v2);
    await client.received(2);
    client.close();
    await until('it is over', () => proxy.stat('tcp.test.downstream_cx_active') === 0);
    assert.deepEqual(await proxy.accessLog(), ['vpce-1 -']);
  });
});

/** A server that says its name first. */
function startNamed(context: TestContext, name: string): Promise<number> {
  return startTcpServer(context, (socket) => {
    socket.write(name);
    socket.resume().on('end', () => socket.end());
  });
}

/** A cluster that tells its endpoints whom a connection is for. */
function tellingCluster(name: string, port: number, version: string, more: Json = {}, inner: Json = rawBuffer): Json {
  const typed = {
    '@type': `${typeUrl}.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport`,
    config: { version, ...more },
    transport_socket: inner,
  };
  return cluster(name, [port], { transport_socket: { name: 'upstream_proxy_protocol', typed_config: typed } });
}

const rawBuffer: Json = {
  name: 'raw',
  typed_config: { '@type': `${typeUrl}.transport_sockets.raw_buffer.v3.RawBuffer` },
};

describe('an endpoint that wants to know whom a connection is for', () => {
  it('is told by a line of version 1, before the first byte', async (context) => {
    const port = await startEcho(context);
    const proxy = await startTestProxy(context, () => ({
      listeners: [listener('main', tcpProxy('a'))],
      clusters: [tellingCluster('a', port, 'V1')],
    }));
    const client = await openClient(context, proxy.port());
    const line = `PROXY TCP4 127.0.0.1 127.0.0.1 ${client.socket.localPort} ${proxy.port()}\r\n`;
    assert.equal((await client.received(line.length + 2)).toString(), `<${line}>`);
    client.send('hello');
    assert.equal((await client.received(line.length + 9)).toString(), `<${line}><hello>`);
  });

  it('is told by a block of version 2 what a header from further away said, and the TLVs that may pass', async (context) => {
    const port = await startEcho(context);
    const passes = { pass_through_tlvs: { match_type: 'INCLUDE', tlv_type: [0xea] } };
    const proxy = await startTestProxy(context, () => ({
      listeners: [behindBalancer(listener('main', tcpProxy('a')), { pass_through_tlvs: {} })],
      clusters: [tellingCluster('a', port, 'V2', passes)],
    }));
    const client = await openClient(context, proxy.port());
    const sent = encodeHeader({
      version: 2,
      ends,
      tlvs: [
        { type: 0xea, value: Buffer.from('vpce-1') },
        { type: 0xeb, value: Buffer.from('secret') },
      ],
    });
    client.send(sent);
    assert.equal((await client.received(v2.length + 2)).toString('latin1'), `<${v2.toString('latin1')}>`);
  });

  it('is told before TLS', async (context) => {
    const certificate = makeSampleCertificate({ dnsNames: ['in.test'] });
    const secure = createTlsServer({ key: certificate.keyPem, cert: certificate.pem }, (socket) =>
      socket.end('secret'),
    );
    let line = '';
    const port = await startTcpServer(context, (socket) => {
      takeLine(socket, (taken) => {
        line = taken;
        secure.emit('connection', socket);
      });
    });
    const tls = {
      name: 'tls',
      typed_config: {
        '@type': `${typeUrl}.transport_sockets.tls.v3.UpstreamTlsContext`,
        sni: 'in.test',
        common_tls_context: { validation_context: { trusted_ca: { inline_string: certificate.pem } } },
      },
    };
    const proxy = await startTestProxy(context, () => ({
      listeners: [listener('main', tcpProxy('a'))],
      clusters: [tellingCluster('a', port, 'V1', {}, tls)],
    }));
    const client = await openClient(context, proxy.port());
    assert.equal((await client.received(6)).toString(), 'secret');
    assert.match(line, new RegExp(`^PROXY TCP4 127.0.0.1 127.0.0.1 ${client.socket.localPort} `));
  });

  it('gets no connection that was another client’s', async (context) => {
    const upstream = await startUpstream(context);
    const inner = await startTestProxy(context, () => ({
      listeners: [
        behindBalancer(listener('main', httpManager([routeTo('a')], { manager: { use_remote_address: true } }))),
      ],
      clusters: [cluster('a', [upstream.port])],
    }));
    const outer = await startTestProxy(context, () => ({
      listeners: [behindBalancer(listener('main', httpManager([routeTo('b')])))],
      clusters: [tellingCluster('b', inner.port(), 'V2')],
    }));
    const first = await openClient(context, outer.port());
    first.send(v1);
    const second = await openClient(context, outer.port());
    second.send(v1.replace('192.0.2.1', '192.0.2.2'));
    for (let i = 0; i < 3; i++) {
      assert.equal((await first.fetch('GET', '/')).headers['seen-x-forwarded-for'], '192.0.2.1');
      assert.equal((await second.fetch('GET', '/')).headers['seen-x-forwarded-for'], '192.0.2.2');
    }
    assert.equal(outer.stat('cluster.b.upstream_cx_total'), 2, 'each client has one and keeps it');
    first.close();
    await until('the connection of whoever left is closed', () => outer.stat('cluster.b.upstream_cx_active') === 1);
    second.close();
    await until('both are closed', () => outer.stat('cluster.b.upstream_cx_active') === 0);
  });
});

/** Cuts the first line off a socket's bytes. */
function takeLine(socket: Socket, done: (line: string) => void): void {
  let text = '';
  const onData = (chunk: Buffer): void => {
    text += chunk.toString('latin1');
    const end = text.indexOf('\n') + 1;
    if (end === 0) return;
    socket.off('data', onData);
    socket.pause();
    if (end < text.length) socket.unshift(Buffer.from(text.slice(end), 'latin1'));
    done(text.slice(0, end));
  };
  socket.on('data', onData);
}

describe('the decision id that a proxy behind this one replied with', () => {
  for (const [who, header, seen] of [
    ['a client on this machine', 'PROXY UNKNOWN\r\n', 'of-a-peer'],
    ['no client elsewhere', v1, undefined],
  ] as const) {
    it(`is shown to ${who}`, async (context) => {
      const refused = reply(403, { headers: { 'x-weft-decision': 'of-a-peer' } });
      const proxy = await httpProxy(context, {}, {}, refused);
      const client = await openClient(context, proxy.port());
      client.send(header);
      assert.equal((await client.fetch('GET', '/')).headers['x-weft-decision'], seen);
    });
  }
});
