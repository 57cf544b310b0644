// A real proxy in this process for behaviour tests: started from a bootstrap in Envoy's format, ports free, ended with the test.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type Clock, systemClock } from '@weft/lib/clock';
import { formatIssue, type Issue } from '@weft/lib/issue';
import { silentLog } from '@weft/lib/log';
import { messageFromJson } from '@weft/lib/protobuf/codec';
import { type RunningProxy, startProxy } from '@weft/proxy/proxy';
import { listMetrics } from '@weft/proxy/telemetry/metric-name';
import { temporaryFolder } from '../../kit/folder.ts';

type Json = Readonly<Record<string, unknown>>;

/** What a test configures; the rest of the bootstrap is made around it. */
export interface TestBootstrap {
  readonly listeners: readonly Json[];
  readonly clusters: readonly Json[];
  /** Runtime keys. */
  readonly runtime?: Json;
  /** Further fields of the bootstrap. */
  readonly more?: Json;
}

export interface AdminAnswer {
  readonly status: number;
  readonly body: string;
}

export class TestProxy {
  readonly running: RunningProxy;
  private readonly logPath: string;

  constructor(running: RunningProxy, logPath: string) {
    this.running = running;
    this.logPath = logPath;
  }

  /** The port a listener got. */
  port(listener = 'main'): number {
    const found = this.running.listeners.all().find((one) => one.compiled.name === listener);
    assert.ok(found, `no listener ${listener}`);
    return found.port;
  }

  /** Value of a counter or gauge by Envoy's full name; 0 when there is none. */
  stat(name: string): number {
    const found = listMetrics(this.running.metrics).find((named) => named.name === name)?.metric;
    return found !== undefined && 'value' in found ? found.value : 0;
  }

  /** Lines of the access log so far. */
  async accessLog(): Promise<string[]> {
    await this.running.sinks.flush();
    return readFileSync(this.logPath, 'utf8')
      .split('\n')
      .filter((line) => line !== '');
  }

  /** Asks the admin server. */
  admin(method: 'GET' | 'POST', path: string): Promise<AdminAnswer> {
    const { admin } = this.running;
    assert.ok(admin, 'the proxy has no admin server');
    return new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port: admin.port, method, path, agent: false };
      const request = httpRequest(options, (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          body += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      });
      request.on('error', reject).end();
    });
  }

  async adminJson(path: string): Promise<Json> {
    return JSON.parse((await this.admin('GET', path)).body) as Json;
  }
}

/** Starts a proxy; `build` may write to the log file whose path it is given. */
export async function startTestProxy(
  context: TestContext,
  build: (logPath: string) => TestBootstrap,
  clock: Clock = systemClock,
  concurrency = 1,
): Promise<TestProxy> {
  const logPath = join(temporaryFolder(context), 'access.log');
  const { listeners, clusters, runtime, more = {} } = build(logPath);
  const json = {
    node: { id: 'sidecar~127.0.0.1~test.default~default.svc.cluster.local', cluster: 'test' },
    admin: { address: loopback(0) },
    static_resources: { listeners, clusters },
    ...(runtime === undefined ? {} : { layered_runtime: { layers: [{ name: 'static', static_layer: runtime }] } }),
    ...more,
  };
  const issues: Issue[] = [];
  const bootstrap = messageFromJson('envoy.config.bootstrap.v3.Bootstrap', json, issues);
  assert.deepEqual(issues.map(formatIssue), []);
  const running = await startProxy({ bootstrap, configPath: 'test', log: silentLog(clock), clock, concurrency });
  context.after(() => running.stop(0));
  return new TestProxy(running, logPath);
}

function loopback(port: number): Json {
  return { socket_address: { address: '127.0.0.1', port_value: port } };
}

/** A listener on a free port with one chain. */
export function listener(name: string, ...filters: Json[]): Json {
  return { name, address: loopback(0), filter_chains: [{ filters }] };
}

const manager = 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';

/** What an HTTP listener may say besides its routes. */
export interface HttpParts {
  /** Merged into the connection manager. */
  readonly manager?: Json;
  /** HTTP filters before the router. */
  readonly filters?: readonly Json[];
  readonly logPath?: string;
  readonly logFormat?: string;
}

/** A connection manager with one virtual host for everything. */
export function httpManager(routes: readonly Json[], parts: HttpParts = {}): Json {
  return httpManagerFor([{ name: 'all', domains: ['*'], routes }], parts);
}

/** A connection manager with these virtual hosts. */
export function httpManagerFor(virtualHosts: readonly Json[], parts: HttpParts = {}): Json {
  return {
    name: 'envoy.filters.network.http_connection_manager',
    typed_config: {
      '@type': manager,
      stat_prefix: 'test',
      route_config: { name: 'local', virtual_hosts: virtualHosts },
      http_filters: [...(parts.filters ?? []), routerFilter],
      ...(parts.logPath === undefined ? {} : { access_log: [fileLog(parts.logPath, parts.logFormat)] }),
      ...parts.manager,
    },
  };
}

const routerFilter: Json = {
  name: 'envoy.filters.http.router',
  typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' },
};

/** An access log to a file. */
export function fileLog(path: string, format = '%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%'): Json {
  return {
    name: 'envoy.access_loggers.file',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog',
      path,
      log_format: { text_format_source: { inline_string: format } },
    },
  };
}

/** A TCP proxy to one cluster. */
export function tcpProxy(cluster: string, more: Json = {}): Json {
  return {
    name: 'envoy.filters.network.tcp_proxy',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy',
      stat_prefix: 'test',
      cluster,
      ...more,
    },
  };
}

/** A route for every path to one cluster. */
export function routeTo(cluster: string, action: Json = {}, more: Json = {}): Json {
  return { match: { prefix: '/' }, route: { cluster, ...action }, ...more };
}

/** A static cluster with endpoints on loopback ports. */
export function cluster(name: string, ports: readonly number[], more: Json = {}): Json {
  return {
    name,
    type: 'STATIC',
    connect_timeout: '1s',
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: ports.map((port) => ({ endpoint: { address: loopback(port) } })) }],
    },
    ...more,
  };
}

/** For `cluster`: its endpoints speak HTTP/2. */
export const http2Only: Json = {
  typed_extension_protocol_options: {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
      explicit_http_config: { http2_protocol_options: {} },
    },
  },
};
