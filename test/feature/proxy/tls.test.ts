// TLS through the real proxy: one port for several names, passed through or ended here, with and without client certificates; the
// protocol each side agrees on; sessions; certificates that change.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { connect as connectHttp2, createSecureServer, type IncomingHttpHeaders } from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import {
  type ConnectionOptions,
  connect as connectTls,
  createServer as createTlsServer,
  type TLSSocket,
} from 'node:tls';
import { makeSampleCertificate, makeSampleRoot, type SampleCertificate } from '@weft/lib/x509/sample-certificate';
import { fetchOnce } from '../../kit/client.ts';
import { temporaryFolder } from '../../kit/folder.ts';
import { FramePeer } from '../../kit/frame-peer.ts';
import { until, waitFor } from '../../kit/until.ts';
import { startTcpServer, startUpstream } from '../../kit/upstream.ts';
import { cluster, httpManager, listener, routeTo, startTestProxy, tcpProxy } from './fixture.ts';

type Json = Readonly<Record<string, unknown>>;

const sockets = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3';
const root = makeSampleRoot();
const issue = (name: string, more: object = {}): SampleCertificate =>
  makeSampleCertificate({ commonName: name, dnsNames: [name], issuer: root, ...more });
const inline = (text: string): Json => ({ inline_string: text });
const pair = ({ pem, keyPem }: SampleCertificate): Json => ({
  certificate_chain: inline(pem),
  private_key: inline(keyPem),
});

function ended(common: Json, more: Json = {}): Json {
  const typed = { '@type': `${sockets}.DownstreamTlsContext`, common_tls_context: common, ...more };
  return { transport_socket: { name: 'tls', typed_config: typed } };
}

function originated(more: Json = {}): Json {
  const trust = { validation_context: { trusted_ca: inline(root.pem) } };
  const typed = {
    '@type': `${sockets}.UpstreamTlsContext`,
    sni: 'in.test',
    common_tls_context: trust,
    ...more,
  };
  return { transport_socket: { name: 'tls', typed_config: typed } };
}

async function dial(context: TestContext, port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connectTls({ host: '127.0.0.1', port, ca: root.pem, ...options });
  context.after(() => socket.destroy());
  await waitFor(socket, 'secureConnect');
  return socket;
}

async function askOver(socket: TLSSocket): Promise<string> {
  socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
  const [answer] = await waitFor(socket, 'data');
  return String(answer);
}

describe('one port for several server names', () => {
  it('passes some through and ends others, each with its own certificate and rules', async (context) => {
    const upstream = await startUpstream(context);
    const own = issue('pass.test');
    const secure = createTlsServer({ key: own.keyPem, cert: own.pem }, (socket) => socket.end('from behind'));
    const behind = await startTcpServer(context, (socket) => secure.emit('connection', socket));
    const names = (...list: string[]): Json => ({ filter_chain_match: { server_names: list } });
    const web = httpManager([routeTo('web')], {
      manager: { forward_client_cert_details: 'SANITIZE_SET', set_current_client_cert_details: { uri: true } },
    });
    const trust = {
      trusted_ca: inline(root.pem),
      match_typed_subject_alt_names: [{ san_type: 'URI', matcher: { exact: 'spiffe://a/ns/b/sa/friend' } }],
    };
    const proxy = await startTestProxy(context, () => ({
      listeners: [
        {
          ...listener('main'),
          filter_chains: [
            { ...names('pass.test'), filters: [tcpProxy('behind')] },
            { ...names('a.test'), filters: [web], ...ended({ tls_certificates: [pair(issue('a.test'))] }) },
            { ...names('*.wild.test'), filters: [web], ...ended({ tls_certificates: [pair(issue('*.wild.test'))] }) },
            {
              ...names('strict.test'),
              filters: [web],
              ...ended(
                { tls_certificates: [pair(issue('strict.test'))], validation_context: trust },
                { require_client_certificate: true },
              ),
            },
          ],
        },
      ],
      clusters: [cluster('web', [upstream.port]), cluster('behind', [behind])],
    }));
    const passed = await dial(context, proxy.port(), { servername: 'pass.test' });
    assert.equal(String((await waitFor(passed, 'data'))[0]), 'from behind');
    for (const [servername, expected] of [
      ['a.test', 'a.test'],
      ['x.wild.test', '*.wild.test'],
    ] as const) {
      const socket = await dial(context, proxy.port(), { servername });
      assert.equal(socket.getPeerCertificate().subject.CN, expected);
      assert.match(await askOver(socket), /^HTTP\/1\.1 200/);
    }
    const showing = (account: string): ConnectionOptions => {
      const { pem, keyPem } = makeSampleCertificate({ uris: [`spiffe://a/ns/b/sa/${account}`], issuer: root });
      return { servername: 'strict.test', cert: pem, key: keyPem };
    };
    const friend = await dial(context, proxy.port(), showing('friend'));
    assert.match(await askOver(friend), /seen-x-forwarded-client-cert: \S*URI=spiffe:\/\/a\/ns\/b\/sa\/friend/);
    for (const options of [showing('stranger'), { servername: 'strict.test' }, { servername: 'nobody.test' }]) {
      const refused = connectTls({ host: '127.0.0.1', port: proxy.port(), ca: root.pem, ...options });
      context.after(() => refused.destroy());
      refused.on('error', () => {}).resume();
      await until('it is refused', () => refused.destroyed);
    }
    assert.equal(upstream.requests.length, 3);
  });

  it('goes by the protocol that the client names first where chains are for different ones', async (context) => {
    const chain = (protocol: string): Json => ({
      filter_chain_match: { application_protocols: [protocol] },
      filters: [httpManager([routeTo('web')])],
      ...ended({ tls_certificates: [pair(issue(`${protocol}.test`))] }),
    });
    const proxy = await startTestProxy(context, () => ({
      listeners: [{ ...listener('main'), filter_chains: [chain('one'), chain('two')] }],
      clusters: [cluster('web', [])],
    }));
    for (const ALPNProtocols of [
      ['one', 'two'],
      ['two', 'one'],
      ['other', 'two', 'one'],
    ]) {
      const socket = await dial(context, proxy.port(), { ALPNProtocols, checkServerIdentity: () => undefined });
      const first = ALPNProtocols.find((protocol) => protocol !== 'other');
      assert.equal(socket.getPeerCertificate().subject.CN, `${first}.test`);
    }
  });

  const denying = (name: string): Json => ({
    name: 'rbac',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC',
      stat_prefix: 'rbac',
      rules: {
        action: 'DENY',
        policies: { p: { permissions: [{ requested_server_name: { exact: name } }], principals: [{ any: true }] } },
      },
    },
  });
  const answering = { match: { prefix: '/' }, direct_response: { status: 200 } };

  for (const [how, match] of [
    ['looked at beforehand', { transport_protocol: 'tls' }],
    ['known from the handshake alone', {}],
  ] as const) {
    it(`takes a server name that is ${how} in small letters, so that capitals evade no policy`, async (context) => {
      const certificate = pair(issue('*.a.test'));
      const proxy = await startTestProxy(context, (logPath) => {
        const web = httpManager([answering], { logPath, logFormat: '%REQUESTED_SERVER_NAME%' });
        const chain = { filters: [denying('admin.a.test'), web], ...ended({ tls_certificates: [certificate] }) };
        return {
          listeners: [{ ...listener('main'), filter_chains: [{ filter_chain_match: match, ...chain }] }],
          clusters: [],
        };
      });
      assert.match(await askOver(await dial(context, proxy.port(), { servername: 'WEB.a.test' })), /^HTTP\/1\.1 200/);
      for (const servername of ['admin.a.test', 'ADMIN.a.test', 'admin.A.TEST']) {
        const socket = connectTls({ host: '127.0.0.1', port: proxy.port(), ca: root.pem, servername });
        context.after(() => socket.destroy());
        socket.on('error', () => {}).resume();
        await until(`${servername} is refused`, () => socket.destroyed);
      }
      await until('it is logged', async () => (await proxy.accessLog()).length === 1);
      assert.deepEqual(await proxy.accessLog(), ['web.a.test']);
    });
  }

  it('speaks HTTP/2 or HTTP/1.1 as the client can', async (context) => {
    const upstream = await startUpstream(context);
    const proxy = await startTestProxy(context, () => ({
      listeners: [
        {
          ...listener('main'),
          filter_chains: [
            {
              filters: [httpManager([routeTo('web')])],
              ...ended({ tls_certificates: [pair(issue('a.test'))], alpn_protocols: ['h2', 'http/1.1'] }),
            },
          ],
        },
      ],
      clusters: [cluster('web', [upstream.port])],
    }));
    const session = connectHttp2(`https://a.test:${proxy.port()}`, {
      createConnection: () =>
        connectTls({
          host: '127.0.0.1',
          port: proxy.port(),
          ca: root.pem,
          servername: 'a.test',
          ALPNProtocols: ['h2'],
        }),
    });
    context.after(() => session.destroy());
    const [headers] = (await waitFor(session.request({ ':path': '/' }), 'response')) as [IncomingHttpHeaders];
    assert.equal(headers[':status'], 200);
    for (const [offer, agreed] of [
      [['http/1.1'], 'http/1.1'],
      [undefined, false],
    ] as const) {
      const options = { servername: 'a.test', ...(offer === undefined ? {} : { ALPNProtocols: [...offer] }) };
      const socket = await dial(context, proxy.port(), options);
      assert.equal(socket.alpnProtocol, agreed);
      assert.match(await askOver(socket), /^HTTP\/1\.1 200/);
    }
    // Without ALPN by what it says first.
    const peer = new FramePeer(await dial(context, proxy.port(), { servername: 'a.test' }), 'client');
    peer.send('preface\nsettings\nheaders 1 end |get');
    await peer.seen(/^HEADERS 1 .*:status=200/);
  });
});

describe('TLS towards endpoints', () => {
  const { pem: cert, keyPem: key } = issue('in.test');
  const auto: Json = {
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
        auto_config: {},
      },
    },
  };

  async function ask(context: TestContext, port: number, more: Json, times = 1) {
    const proxy = await startTestProxy(context, () => ({
      listeners: [listener('main', httpManager([routeTo('a')]))],
      clusters: [cluster('a', [port], { ...originated(), ...more })],
    }));
    const texts: string[] = [];
    for (let i = 0; i < times; i++) texts.push((await fetchOnce(context, proxy.port(), `/${i}`)).text);
    return { proxy, texts };
  }

  it('speaks HTTP/2 where auto_config finds an endpoint that does', async (context) => {
    const server = createSecureServer({ key, cert, allowHTTP1: true }, (request, response) => {
      response.end(`${request.httpVersion} ${request.url}`);
    });
    const port = await startTcpServer(context, (socket) => server.emit('connection', socket));
    const { proxy, texts } = await ask(context, port, auto, 3);
    assert.deepEqual(texts, ['2.0 /0', '2.0 /1', '2.0 /2']);
    assert.equal(proxy.stat('cluster.a.upstream_cx_http2_total'), 1);
    assert.equal(proxy.stat('cluster.a.upstream_rq_pending_active'), 0);
  });

  it('speaks HTTP/1.1 where auto_config finds one that does not', async (context) => {
    const server = createHttpsServer({ key, cert }, (request, response) => {
      response.end(`${request.httpVersion} ${request.url}`);
    });
    const port = await startTcpServer(context, (socket) => server.emit('connection', socket));
    const { proxy, texts } = await ask(context, port, auto, 3);
    assert.deepEqual(texts, ['1.1 /0', '1.1 /1', '1.1 /2']);
    assert.equal(proxy.stat('cluster.a.upstream_cx_http1_total'), 1);
  });

  it('fails what waits when auto_config cannot connect', async (context) => {
    const port = await startTcpServer(context, (socket) => socket.destroy());
    const { proxy } = await ask(context, port, auto);
    assert.equal(proxy.stat('cluster.a.upstream_rq_503'), 1);
    assert.equal(proxy.stat('cluster.a.upstream_cx_active'), 0);
    assert.equal(proxy.stat('cluster.a.upstream_rq_pending_active'), 0);
  });

  for (const [what, more, status] of [
    ['takes a certificate for the address', { ipAddresses: ['127.0.0.1'] }, 200],
    ['refuses a certificate for another one', { ipAddresses: ['127.0.0.2'] }, 503],
    ['refuses a certificate for a name', {}, 503],
  ] as const) {
    it(`${what} where auto_san_validation stands over an endpoint without a name`, async (context) => {
      const shown = issue('in.test', more);
      const server = createHttpsServer({ key: shown.keyPem, cert: shown.pem }, (_request, response) => response.end());
      const port = await startTcpServer(context, (socket) => server.emit('connection', socket));
      const options = {
        '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
        explicit_http_config: { http_protocol_options: {} },
        upstream_http_protocol_options: { auto_sni: true, auto_san_validation: true },
      };
      const { proxy } = await ask(context, port, {
        type: 'STRICT_DNS',
        typed_extension_protocol_options: { 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': options },
        ...originated({ sni: '' }),
      });
      assert.equal(proxy.stat(`cluster.a.upstream_rq_${status}`), 1);
    });
  }

  it('resumes sessions', async (context) => {
    const server = createHttpsServer({ key, cert }, (_request, response) =>
      response.setHeader('connection', 'close').end('x'),
    );
    const port = await startTcpServer(context, (socket) => server.emit('connection', socket));
    // Each session is used once; the first handshake brings two.
    const { proxy } = await ask(context, port, originated({ max_session_keys: 2 }), 3);
    assert.equal(proxy.stat('cluster.a.ssl.handshake'), 3);
    assert.equal(proxy.stat('cluster.a.ssl.session_reused'), 2);
  });
});

describe('certificates in files', () => {
  it('change for new connections and leave those that are open alone', async (context) => {
    const upstream = await startUpstream(context);
    const folder = temporaryFolder(context);
    const write = (sample: SampleCertificate): void => {
      writeFileSync(join(folder, 'key.pem'), sample.keyPem);
      writeFileSync(join(folder, 'cert.pem'), sample.pem);
    };
    const second = issue('second', { dnsNames: ['a.test'] });
    write(issue('first', { dnsNames: ['a.test'] }));
    const files = {
      certificate_chain: { filename: join(folder, 'cert.pem') },
      private_key: { filename: join(folder, 'key.pem') },
    };
    const proxy = await startTestProxy(context, () => ({
      listeners: [
        {
          ...listener('main'),
          filter_chains: [{ filters: [httpManager([routeTo('web')])], ...ended({ tls_certificates: [files] }) }],
        },
      ],
      clusters: [cluster('web', [upstream.port])],
    }));
    const nameOf = (socket: TLSSocket): string => String(socket.getPeerCertificate().subject.CN);
    const open = await dial(context, proxy.port(), { servername: 'a.test' });
    assert.equal(nameOf(open), 'first');
    write(second);
    proxy.running.secrets.reloadFiles();
    const fresh = await dial(context, proxy.port(), { servername: 'a.test' });
    assert.equal(nameOf(fresh), 'second');
    assert.match(await askOver(open), /^HTTP\/1\.1 200/);
  });
});
