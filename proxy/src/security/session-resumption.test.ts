// Sessions that clients resume at a listener: over a rotation of its certificate, over several contexts that share ticket keys, and
// never past the rules for clients.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { after, describe, it } from 'node:test';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import type { envoy } from '@weft/api/xds/types';
import { systemClock } from '@weft/lib/clock';
import type { Issue } from '@weft/lib/issue';
import { makeSampleCertificate, makeSampleRoot } from '@weft/lib/x509/sample-certificate';
import { compileDownstreamTls, type DownstreamTls } from './downstream-tls.ts';
import { SecretSet } from './secret-set.ts';
import { type HandshakeOutcome, inlineCertificate, makeWorkload, TlsTestServer } from './tls-pair.ts';

type Context = envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext;
type SecretMessage = envoy.extensions.transport_sockets.tls.v3.Secret;

const root = makeSampleRoot();
const client = makeWorkload(root, 'client');
const showing = { cert: client.pem, key: client.keyPem };
const sds = (name: string) => ({ name, sdsConfig: { ads: {} } });
const closers: (() => void)[] = [];
after(() => {
  for (const close of closers) close();
});

function compile(context: Context, secrets = new SecretSet(systemClock)): DownstreamTls {
  const issues: Issue[] = [];
  const tls = compileDownstreamTls(context, secrets, issues, 't');
  assert.deepEqual(
    issues.filter(({ level }) => level === 'error'),
    [],
  );
  assert.ok(tls);
  return tls;
}

function put(secrets: SecretSet, name: string, message: SecretMessage): void {
  secrets.prepare(new Map([[name, message]]), [], '1').commit();
}

class Door {
  private readonly server: TlsTestServer;
  private port = 0;

  constructor(tls: DownstreamTls) {
    this.server = new TlsTestServer(tls);
    closers.push(() => this.server.close());
  }

  private dial(options: ConnectionOptions): TLSSocket {
    const socket = connect({ host: '127.0.0.1', port: this.port, rejectUnauthorized: false, ...options });
    socket.on('error', () => {});
    closers.push(() => socket.destroy());
    return socket;
  }

  /** A session that this listener gave out. */
  async session(options: ConnectionOptions = {}): Promise<Buffer> {
    if (this.port === 0) this.port = await this.server.listen();
    const [session] = (await once(this.dial(options), 'session')) as [Buffer];
    assert.equal((await this.server.next()).reason, '');
    return session;
  }

  async outcome(options: ConnectionOptions): Promise<HandshakeOutcome> {
    if (this.port === 0) this.port = await this.server.listen();
    this.dial(options);
    return this.server.next();
  }

  async resumes(session: Buffer, options: ConnectionOptions = {}): Promise<boolean> {
    const { socket, reason } = await this.outcome({ session, ...options });
    assert.equal(reason, '');
    return socket?.isSessionReused() ?? false;
  }
}

const versions = ['TLSv1.2', 'TLSv1.3'] as const;

describe('a session', () => {
  for (const maxVersion of versions) {
    it(`of ${maxVersion} is resumed, with the client's certificate known`, async () => {
      const door = new Door(compile(mutual()));
      const session = await door.session({ ...showing, maxVersion });
      const { socket, peer } = await door.outcome({ ...showing, maxVersion, session });
      assert.equal(socket?.isSessionReused(), true);
      assert.deepEqual(peer?.uriSans, ['spiffe://cluster.local/ns/default/sa/client']);
    });
  }

  it('is resumed where the certificate was chosen by server name', async () => {
    const tlsCertificates = ['a.test', 'b.test'].map((name) =>
      inlineCertificate(makeSampleCertificate({ dnsNames: [name], issuer: root })),
    );
    const context = mutual();
    const door = new Door(compile({ ...context, commonTlsContext: { ...context.commonTlsContext, tlsCertificates } }));
    for (const maxVersion of versions) {
      const options = { ...showing, servername: 'b.test', maxVersion };
      const session = await door.session(options);
      assert.equal(await door.resumes(session, options), true, maxVersion);
    }
  });

  it('outlives the certificate of the server, so that a rotation brings no rush of handshakes', async () => {
    const secrets = new SecretSet(systemClock);
    put(secrets, 'own', { tlsCertificate: inlineCertificate(makeWorkload(root, 'server')) });
    const tls = compile({ commonTlsContext: { tlsCertificateSdsSecretConfigs: [sds('own')] } }, secrets);
    const door = new Door(tls);
    const session = await door.session();
    put(secrets, 'own', { tlsCertificate: inlineCertificate(makeWorkload(root, 'server')) });
    assert.equal(await door.resumes(session), true);
  });

  it('is not resumed where session_timeout is zero or tickets are off', async () => {
    for (const more of [{ sessionTimeout: { seconds: 0 } }, { disableStatelessSessionResumption: true }]) {
      const door = new Door(compile({ ...plain(), ...more }));
      const dialled = await door.outcome({ maxVersion: 'TLSv1.2' });
      const session = dialled.socket?.getSession();
      assert.equal(await door.resumes(session ?? Buffer.alloc(0), { maxVersion: 'TLSv1.2' }).catch(() => false), false);
    }
  });
});

describe('ticket keys', () => {
  const keys = { keys: [{ inlineBytes: randomBytes(80) }] };

  it('let a session be resumed at another listener, or after a restart', async () => {
    const session = await new Door(compile({ ...plain(), sessionTicketKeys: keys })).session();
    assert.equal(await new Door(compile({ ...plain(), sessionTicketKeys: keys })).resumes(session), true);
    assert.equal(await new Door(compile(plain())).resumes(session), false, 'others have other keys');
  });

  it('do not let a client past rules that its session began without', async () => {
    const session = await new Door(compile({ ...plain(), sessionTicketKeys: keys })).session();
    const strict = new Door(compile({ ...mutual(), sessionTicketKeys: keys }));
    assert.equal((await strict.outcome({ session })).socket, null);
    const other = makeSampleRoot('other');
    const validationContext = { trustedCa: { inlineString: other.pem } };
    const tlsCertificates = [inlineCertificate(makeWorkload(other, 'server'))];
    const elsewhere = new Door(
      compile({
        requireClientCertificate: true,
        commonTlsContext: { tlsCertificates, validationContext },
        sessionTicketKeys: keys,
      }),
    );
    const own = makeWorkload(other, 'client');
    const trusted = await elsewhere.session({ cert: own.pem, key: own.keyPem });
    assert.equal((await strict.outcome({ session: trusted })).socket, null);
  });

  it('may come by SDS: until they are there no connection is taken, and new ones replace the old', async () => {
    const secrets = new SecretSet(systemClock);
    const tls = compile({ ...plain(), sessionTicketKeysSdsSecretConfig: sds('tickets') }, secrets);
    assert.equal(tls.isReady, false);
    assert.deepEqual(tls.secretNames, ['tickets']);
    put(secrets, 'tickets', { sessionTicketKeys: keys });
    assert.equal(tls.isReady, true);
    const door = new Door(tls);
    const session = await door.session();
    assert.equal(await door.resumes(session), true);
    put(secrets, 'tickets', { sessionTicketKeys: { keys: [{ inlineBytes: randomBytes(80) }] } });
    assert.equal(await door.resumes(session), false);
  });
});

function plain(): Context {
  return { commonTlsContext: { tlsCertificates: [inlineCertificate(makeWorkload(root, 'server'))] } };
}

function mutual(): Context {
  const { commonTlsContext } = plain();
  const validationContext = { trustedCa: { inlineString: root.pem } };
  return { requireClientCertificate: true, commonTlsContext: { ...commonTlsContext, validationContext } };
}
