// Real Envoy as a client of our discovery service, where there is one on this machine.

import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

/** Path of Envoy from $WEFT_ENVOY, $ENVOY_BIN or $PATH; null when there is none. */
export function findEnvoy(): string | null {
  const named = process.env.WEFT_ENVOY ?? process.env.ENVOY_BIN;
  const places = [named ?? '', ...(process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'envoy'))];
  return places.find((place) => place !== '' && isExecutable(place)) ?? null;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export interface EnvoyNode {
  readonly id: string;
  readonly metadata?: Record<string, unknown>;
}

/** One Envoy that takes everything from an ADS server on loopback. */
export class EnvoyProcess {
  private readonly child: ChildProcess;
  private readonly folder: string;
  readonly adminPort: number;

  private constructor(child: ChildProcess, folder: string, adminPort: number) {
    this.child = child;
    this.folder = folder;
    this.adminPort = adminPort;
  }

  static async start(
    binary: string,
    adsPort: number,
    node: EnvoyNode,
    api: 'GRPC' | 'DELTA_GRPC',
  ): Promise<EnvoyProcess> {
    const folder = mkdtempSync(join(tmpdir(), 'weft-envoy-'));
    const config = join(folder, 'bootstrap.json');
    const adminPath = join(folder, 'admin');
    writeFileSync(config, JSON.stringify(bootstrap(adsPort, node, api)));
    const flags = ['-c', config, '--admin-address-path', adminPath, '--log-level', 'warn', '--concurrency', '1'];
    const log = process.env.ENVOY_LOG === undefined ? 'ignore' : 'inherit';
    const child = spawn(binary, [...flags, '--use-dynamic-base-id'], { stdio: ['ignore', log, log] });
    const address = await until(() => (existsSync(adminPath) ? readFileSync(adminPath, 'utf8') : null), 'Envoy starts');
    return new EnvoyProcess(child, folder, Number(address.slice(address.lastIndexOf(':') + 1)));
  }

  /** Every dynamic resource of a kind that Envoy has accepted, as its admin interface shows it. */
  async dump(resource: string): Promise<string> {
    return (await fetchText(this.adminPort, `/config_dump?resource=${resource}`)).body;
  }

  async stop(): Promise<void> {
    const over = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill('SIGKILL');
    await over;
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function bootstrap(adsPort: number, node: EnvoyNode, api: string): unknown {
  const grpc = { envoy_grpc: { cluster_name: 'xds-grpc' } };
  const ads = { ads: {}, resource_api_version: 'V3' };
  const options = '@type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions'.slice(1);
  return {
    node: { ...node, cluster: 'test' },
    admin: { address: { socket_address: { address: '127.0.0.1', port_value: 0 } } },
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
          typed_extension_protocol_options: {
            'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
              '@type': options,
              explicit_http_config: { http2_protocol_options: {} },
            },
          },
          load_assignment: {
            cluster_name: 'xds-grpc',
            endpoints: [
              {
                lb_endpoints: [
                  { endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: adsPort } } } },
                ],
              },
            ],
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

/** A GET over a connection of its own; status 0 when nobody answers. */
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
