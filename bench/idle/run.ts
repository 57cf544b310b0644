// What an idle connection keeps of the proxy's memory: ten thousand of each kind, each of which was answered once.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { platform, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { proxyNodeFlags } from '@weft/proxy/node-flags';
import { freePorts } from '../../test/kit/ports.ts';
import { residentKibOf } from '../attack/usage.ts';
import { makeCertificates } from '../peers/certificate.ts';
import { Child } from '../peers/child.ts';
import { findProgram, needProgram } from '../peers/program.ts';
import { type IdleKind, idleKinds, openIdle } from './client.ts';

const usage = `usage: npm run bench -- idle [options]

  --count N     connections of each kind (default 10000)
  --kind LIST   ${idleKinds.join(', ')} (default all)
  --peer NAME   weft or envoy (default weft)

Needs twice as many file descriptors: ulimit -n.
`;

const manager = 'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';
const typeOf = (name: string) => ({ '@type': `type.googleapis.com/${name}` });
const settleMs = 5000;

function bootstrapOf(port: number, tls: object | null): string {
  const routes = [{ match: { prefix: '/' }, direct_response: { status: 200, body: { inline_string: 'hello' } } }];
  const http = {
    ...typeOf(manager),
    stat_prefix: 'bench',
    route_config: { name: 'local', virtual_hosts: [{ name: 'all', domains: ['*'], routes }] },
    http_filters: [
      { name: 'envoy.filters.http.router', typed_config: typeOf('envoy.extensions.filters.http.router.v3.Router') },
    ],
  };
  const chain = {
    filters: [{ name: 'envoy.filters.network.http_connection_manager', typed_config: http }],
    ...(tls === null ? {} : { transport_socket: { name: 'envoy.transport_sockets.tls', typed_config: tls } }),
  };
  const address = { socket_address: { address: '127.0.0.1', port_value: port } };
  return JSON.stringify({ static_resources: { listeners: [{ name: 'main', address, filter_chains: [chain] }] } });
}

function tlsContext(folder: string): object {
  const { certificate, key } = makeCertificates(folder);
  return {
    ...typeOf('envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext'),
    common_tls_context: {
      alpn_protocols: ['h2', 'http/1.1'],
      tls_certificates: [
        {
          certificate_chain: { inline_string: readFileSync(certificate, 'utf8') },
          private_key: { inline_string: readFileSync(key, 'utf8') },
        },
      ],
    },
  };
}

function commandOf(peer: string, file: string): string[] {
  if (peer === 'envoy') {
    const envoy = findProgram('envoy') ?? 'envoy';
    return [envoy, '-c', file, '--concurrency', '1', '--use-dynamic-base-id', '--log-level', 'off'];
  }
  const entry = fileURLToPath(new URL('../../cli/main.mjs', import.meta.url));
  return [process.execPath, ...proxyNodeFlags, entry, 'proxy', '-c', file, '--log-level', 'error'];
}

/** KiB for each connection. */
async function measure(kind: IdleKind, count: number, peer: string, folder: string): Promise<number> {
  const [port = 0] = await freePorts(1);
  const file = join(folder, 'bootstrap.json');
  writeFileSync(file, bootstrapOf(port, kind.startsWith('tls') ? tlsContext(folder) : null));
  const proxy = new Child(0, commandOf(peer, file), join(folder, 'proxy.log'), {});
  try {
    await proxy.listening(port, 20_000);
    // What is compiled and allocated once must not count.
    for (const socket of await openIdle(kind, port, 500)) socket.destroy();
    await delay(settleMs);
    const before = residentKibOf(proxy.pid);
    const sockets = await openIdle(kind, port, count);
    await delay(settleMs);
    const each = (residentKibOf(proxy.pid) - before) / count;
    for (const socket of sockets) socket.destroy();
    return each;
  } finally {
    await proxy.stop();
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      count: { type: 'string', default: '10000' },
      kind: { type: 'string' },
      peer: { type: 'string', default: 'weft' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return;
  }
  if (platform() !== 'linux') throw new Error('this bench reads /proc: it runs on Linux only');
  needProgram('taskset', 'util-linux');
  const chosen = idleKinds.filter((kind) => values.kind === undefined || values.kind.split(',').includes(kind));
  const folder = mkdtempSync(join(tmpdir(), 'weft-idle-'));
  console.log('| connections | KiB each |\n|---|--:|');
  try {
    for (const kind of chosen) {
      const each = await measure(kind, Number(values.count), values.peer, folder);
      console.log(`| ${values.count} × ${kind} | ${each.toFixed(1)} |`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

await main();
