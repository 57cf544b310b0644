// The proxy that the conformance suite talks to: a process of its own in front of a server that answers each request.

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repositoryRoot } from '../source/tree.ts';

const readyWithinMs = 15_000;

/** A running proxy with one HTTP listener. */
export interface Subject {
  readonly port: number;
  close(): Promise<void>;
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

async function freePort(): Promise<number> {
  const server = createTcpServer();
  const port = await listen(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function address(port: number): object {
  return { socket_address: { address: '127.0.0.1', port_value: port } };
}

function bootstrap(port: number, upstreamPort: number): object {
  const routes = [{ match: { prefix: '/' }, route: { cluster: 'upstream' } }];
  const manager = {
    '@type': 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
    stat_prefix: 'conformance',
    route_config: { virtual_hosts: [{ name: 'all', domains: ['*'], routes }] },
    http_filters: [
      {
        name: 'router',
        typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' },
      },
    ],
  };
  const endpoint = { endpoint: { address: address(upstreamPort) } };
  return {
    static_resources: {
      listeners: [
        {
          name: 'main',
          address: address(port),
          filter_chains: [{ filters: [{ name: 'http', typed_config: manager }] }],
        },
      ],
      clusters: [
        {
          name: 'upstream',
          type: 'STATIC',
          load_assignment: { cluster_name: 'upstream', endpoints: [{ lb_endpoints: [endpoint] }] },
        },
      ],
    },
  };
}

async function untilListening(port: number, hasEnded: () => boolean): Promise<void> {
  const giveUpAt = performance.now() + readyWithinMs;
  while (performance.now() < giveUpAt && !hasEnded()) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false));
      socket.on('connect', () => socket.destroy());
    });
    if (isOpen) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`the proxy ${hasEnded() ? 'ended' : `did not listen within ${readyWithinMs} ms`}; see its log above`);
}

/** Starts both; `close` ends them. */
export async function startSubject(): Promise<Subject> {
  const upstream = createServer((request, response) => {
    request.resume();
    request.on('end', () => response.end('hello, world\n'));
  });
  const upstreamPort = await listen(upstream);
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'weft-conformance-'));
  const file = join(folder, 'bootstrap.json');
  writeFileSync(file, JSON.stringify(bootstrap(port, upstreamPort)));
  const child = spawn(process.execPath, [join(repositoryRoot, 'proxy/main.mjs'), '-c', file], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const close = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await new Promise((resolve) => child.on('close', resolve));
    }
    upstream.close();
    upstream.closeAllConnections();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await untilListening(port, () => child.exitCode !== null);
  } catch (cause) {
    await close();
    throw cause;
  }
  return { port, close };
}
