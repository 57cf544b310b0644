// Proxies as clients of our discovery service: Weft's own, and real Envoy where there is one on this machine.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram, isExecutable } from '@weft/lib/program-path';
import { freePorts } from '../kit/ports.ts';

/** A program that takes Envoy's bootstrap. */
export interface ProxyProgram {
  readonly name: string;
  /** Why its tests are skipped; false when they run. */
  readonly skip: string | false;
  readonly command: (config: string) => readonly string[];
}

const weft: ProxyProgram = {
  name: "Weft's proxy",
  skip: false,
  command: (config) => [process.execPath, join(import.meta.dirname, '../../proxy/main.mjs'), '-c', config],
};

const envoyPath = findEnvoy();
const envoy: ProxyProgram = {
  name: 'real Envoy',
  skip: envoyPath === null ? 'Envoy is neither in $WEFT_ENVOY, $ENVOY_BIN nor on $PATH' : false,
  command: (config) => [
    envoyPath ?? '',
    ...['-c', config, '--log-level', 'warn', '--concurrency', '1', '--use-dynamic-base-id'],
  ],
};

/** Both. */
export const programs: readonly ProxyProgram[] = [weft, envoy];

/** Path of Envoy from $WEFT_ENVOY, $ENVOY_BIN or $PATH; null when there is none. */
function findEnvoy(): string | null {
  const named = process.env.WEFT_ENVOY ?? process.env.ENVOY_BIN;
  return named !== undefined && isExecutable(named) ? named : findProgram('envoy', process.env.PATH);
}

export interface BootstrapNode {
  readonly id?: string | undefined;
  readonly metadata?: object | undefined;
}

/** One proxy that takes everything from an ADS server on loopback. */
export class ProxyProcess {
  private readonly child: ChildProcess;
  private readonly folder: string;
  private readonly adminPort: number;

  private constructor(child: ChildProcess, folder: string, adminPort: number) {
    this.child = child;
    this.folder = folder;
    this.adminPort = adminPort;
  }

  /** `address` is the ADS server's. Resolves when the admin interface answers. $PROXY_LOG shows what the program says. */
  static async start(
    program: ProxyProgram,
    address: string,
    node: BootstrapNode,
    api: 'GRPC' | 'DELTA_GRPC',
  ): Promise<ProxyProcess> {
    const folder = mkdtempSync(join(tmpdir(), 'weft-proxy-'));
    const config = join(folder, 'bootstrap.json');
    const [adminPort = 0] = await freePorts(1);
    const adsPort = Number(address.slice(address.lastIndexOf(':') + 1));
    writeFileSync(config, JSON.stringify(bootstrap(adsPort, adminPort, node, api)));
    const [file = '', ...args] = program.command(config);
    const log = process.env.PROXY_LOG === undefined ? 'ignore' : 'inherit';
    const child = spawn(file, args, { stdio: ['ignore', log, log] });
    const proxy = new ProxyProcess(child, folder, adminPort);
    await until(
      async () => ((await fetchText(adminPort, '/server_info')).status === 0 ? null : true),
      'the proxy starts',
    );
    return proxy;
  }

  /** What the proxy has taken, as its admin interface shows it. */
  async dump(): Promise<string> {
    return (await fetchText(this.adminPort, '/config_dump?include_eds')).body;
  }

  async stop(): Promise<void> {
    const over = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill('SIGKILL');
    await over;
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function loopback(port: number): object {
  return { socket_address: { address: '127.0.0.1', port_value: port } };
}

const http2 = {
  'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
    '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
    explicit_http_config: { http2_protocol_options: {} },
  },
};

function bootstrap(adsPort: number, adminPort: number, node: BootstrapNode, api: string): unknown {
  const ads = { ads: {}, resource_api_version: 'V3' };
  const grpc = { envoy_grpc: { cluster_name: 'xds-grpc' } };
  return {
    node: { ...node, cluster: 'test' },
    admin: { address: loopback(adminPort) },
    dynamic_resources: {
      ads_config: { api_type: api, transport_api_version: 'V3', grpc_services: [grpc] },
      cds_config: ads,
      lds_config: ads,
    },
    bootstrap_extensions: [
      {
        name: 'envoy.bootstrap.internal_listener',
        typed_config: {
          '@type': 'type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener',
        },
      },
    ],
    static_resources: {
      clusters: [
        {
          name: 'xds-grpc',
          type: 'STATIC',
          typed_extension_protocol_options: http2,
          load_assignment: {
            cluster_name: 'xds-grpc',
            endpoints: [{ lb_endpoints: [{ endpoint: { address: loopback(adsPort) } }] }],
          },
        },
      ],
    },
  };
}

/** Asks again until there is an answer; fails after 20 s with what was awaited. */
export async function until<T>(look: () => Promise<T | null> | T | null, what: string): Promise<T> {
  const endMs = performance.now() + 20_000;
  for (;;) {
    const found = await look();
    if (found !== null) return found;
    if (performance.now() > endMs) throw new Error(`not within 20 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** A GET over a connection of its own; status 0 when nobody answers. An absolute URL as path makes a proxy request. */
export function fetchText(
  port: number,
  path: string,
  headers: Record<string, string> = {},
): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve) => {
    const request = get({ host: '127.0.0.1', port, path, headers, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (text: string) => (body += text));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
    request.on('error', () => resolve({ status: 0, body: '' }));
  });
}
