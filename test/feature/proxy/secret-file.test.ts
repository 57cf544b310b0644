// Secrets that stand in files as SDS would send them: `path_config_source` of an SDS reference.

import assert from 'node:assert/strict';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { systemClock } from '@weft/lib/clock';
import { silentLog } from '@weft/lib/log';
import { messageFromJson } from '@weft/lib/protobuf/codec';
import { makeSampleCertificate, makeSampleRoot, type SampleCertificate } from '@weft/lib/x509/sample-certificate';
import { startProxy } from '@weft/proxy/proxy';
import { temporaryFolder } from '../../kit/folder.ts';
import { until, waitFor } from '../../kit/until.ts';
import { startUpstream } from '../../kit/upstream.ts';
import { cluster, httpManager, listener, routeTo, startTestProxy } from './fixture.ts';

type Json = Readonly<Record<string, unknown>>;

const tls = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3';
const root = makeSampleRoot();
const issue = (name: string): SampleCertificate => makeSampleCertificate({ dnsNames: [name], issuer: root });

function write(path: string, text: string): string {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
  return path;
}

/** Whole secrets as JSON, certificates as files beside it. */
function fileOf(folder: string, secrets: readonly Json[]): string {
  const resources = secrets.map((secret) => ({ '@type': `${tls}.Secret`, ...secret }));
  return write(join(folder, 'sds.yaml'), JSON.stringify({ version_info: '7', resources }));
}

function certificateIn(folder: string, { pem, keyPem }: SampleCertificate): Json {
  return {
    certificate_chain: { filename: write(join(folder, 'cert.pem'), pem) },
    private_key: { filename: write(join(folder, 'key.pem'), keyPem) },
  };
}

function reference(name: string, path: string): Json {
  return { name, sds_config: { path_config_source: { path } } };
}

function ended(common: Json, more: Json = {}): Json {
  const typed = { '@type': `${tls}.DownstreamTlsContext`, common_tls_context: common, ...more };
  return { name: 'tls', typed_config: typed };
}

function tlsListener(transportSocket: Json, filter: Json): Json {
  return { ...listener('main'), filter_chains: [{ transport_socket: transportSocket, filters: [filter] }] };
}

async function dial(context: TestContext, port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port, ca: root.pem, servername: 'a.test', ...options });
  context.after(() => socket.destroy());
  await waitFor(socket, 'secureConnect');
  return socket;
}

/** The findings about a reference to this file. */
async function findings(path: string, name = 'web'): Promise<string> {
  const transportSocket = ended({ tls_certificate_sds_secret_configs: [reference(name, path)] });
  const listeners = [tlsListener(transportSocket, httpManager([routeTo('web')]))];
  const json = { static_resources: { listeners, clusters: [cluster('web', [])] } };
  const bootstrap = messageFromJson('envoy.config.bootstrap.v3.Bootstrap', json, []);
  const options = { bootstrap, configPath: 'test', log: silentLog(systemClock), clock: systemClock };
  const started = startProxy({ ...options, onlyValidates: true });
  return started.then(
    () => '',
    (error: Error) => error.message,
  );
}

describe('secrets in a file', () => {
  it('serve as certificate and as trust, and a new file counts for the next connection', async (context) => {
    const folder = temporaryFolder(context);
    const upstream = await startUpstream(context);
    const web = { name: 'web', tls_certificate: certificateIn(folder, issue('a.test')) };
    const trust = { name: 'clients', validation_context: { trusted_ca: { inline_string: root.pem } } };
    const path = fileOf(folder, [web, trust]);
    const transportSocket = ended(
      {
        tls_certificate_sds_secret_configs: [reference('web', path)],
        validation_context_sds_secret_config: reference('clients', path),
      },
      { require_client_certificate: true },
    );
    const proxy = await startTestProxy(context, () => ({
      listeners: [tlsListener(transportSocket, httpManager([routeTo('web')]))],
      clusters: [cluster('web', [upstream.port])],
    }));
    const client = issue('client.test');
    const options = { cert: client.pem, key: client.keyPem };
    const before = await dial(context, proxy.port(), options);
    assert.equal(before.getPeerCertificate().subjectaltname, 'DNS:a.test');
    before.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
    assert.match(String((await waitFor(before, 'data'))[0]), /^HTTP\/1\.1 200/);

    const second = issue('b.test');
    const inline = {
      certificate_chain: { inline_string: second.pem },
      private_key: { inline_string: second.keyPem },
    };
    fileOf(folder, [{ name: 'web', tls_certificate: inline }, trust]);
    await until('the new certificate is shown', async () => {
      const socket = await dial(context, proxy.port(), { ...options, servername: 'b.test', rejectUnauthorized: false });
      return socket.getPeerCertificate().subjectaltname === 'DNS:b.test';
    });
    before.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
    assert.match(String((await waitFor(before, 'data'))[0]), /^HTTP\/1\.1 200/);
  });

  it('say whom to trust: a file that changes nothing but the names counts too', async (context) => {
    const folder = temporaryFolder(context);
    const trusting = (name: string): string => {
      const names = [{ san_type: 'DNS', matcher: { exact: name } }];
      const rules = { trusted_ca: { inline_string: root.pem }, match_typed_subject_alt_names: names };
      return fileOf(folder, [{ name: 'clients', validation_context: rules }]);
    };
    const common = {
      tls_certificates: [certificateIn(folder, issue('a.test'))],
      validation_context_sds_secret_config: reference('clients', trusting('client.test')),
    };
    const transportSocket = ended(common, { require_client_certificate: true });
    const proxy = await startTestProxy(context, () => ({
      listeners: [{ ...tlsListener(transportSocket, httpManager([routeTo('web')])), stat_prefix: 'front' }],
      clusters: [cluster('web', [])],
    }));
    const client = issue('client.test');
    const showing = { cert: client.pem, key: client.keyPem };
    await dial(context, proxy.port(), showing);
    await until('it is let in', () => proxy.stat('listener.front.ssl.handshake') === 1);
    trusting('somebody.test');
    proxy.running.secrets.reloadFiles();
    const refused = await dial(context, proxy.port(), showing);
    refused.resume();
    await until('it is refused', () => refused.destroyed);
    assert.equal(proxy.stat('listener.front.ssl.fail_verify_san'), 1);
  });

  it('stay as they are while the file is broken', async (context) => {
    const folder = temporaryFolder(context);
    const path = fileOf(folder, [{ name: 'web', tls_certificate: certificateIn(folder, issue('a.test')) }]);
    const proxy = await startTestProxy(context, () => ({
      listeners: [
        tlsListener(
          ended({ tls_certificate_sds_secret_configs: [reference('web', path)] }),
          httpManager([routeTo('web')]),
        ),
      ],
      clusters: [cluster('web', [])],
    }));
    write(path, '{ resources: [');
    proxy.running.secrets.reloadFiles();
    const socket = await dial(context, proxy.port());
    assert.equal(socket.getPeerCertificate().subjectaltname, 'DNS:a.test');
  });

  it('are refused with file and line when they cannot be used', async (context) => {
    const folder = temporaryFolder(context);
    const at = (text: string): string => write(join(folder, 'sds.yaml'), text);
    const typed = `- '@type': ${tls}.Secret`;
    assert.match(await findings(join(folder, 'none.yaml')), /WEFT0130.*none\.yaml.*there is no such file/);
    assert.match(await findings(at('resources: [')), /WEFT0131.*sds\.yaml:1.*is not valid YAML/);
    assert.match(await findings(at('')), /WEFT0131.*sds\.yaml.*is empty; write resources/);
    assert.match(
      await findings(at(`resources:\n${typed}\n  name: other\n`)),
      /WEFT0711.*has no secret "web", it has other/,
    );
    assert.match(
      await findings(at(`resources:\n${typed}\n  name: web\n  tls_certificat: {}\n`)),
      /sds\.yaml:4:3 resources\[0\]\.tls_certificat/,
    );
    assert.match(
      await findings(at("resources:\n- '@type': type.googleapis.com/envoy.config.cluster.v3.Cluster\n")),
      /WEFT0123/,
    );
    assert.match(await findings(at(`resources:\n${typed}\n  name: web\n`)), /WEFT0702/);
  });
});
