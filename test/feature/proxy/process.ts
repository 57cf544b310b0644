// A proxy in a process of its own, for what can only be seen from outside: memory, signals, exit status.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '../../kit/folder.ts';
import { within } from '../../kit/until.ts';

const entry = fileURLToPath(new URL('../../../proxy/src/main.ts', import.meta.url));

export interface ProxyProcess {
  readonly child: ChildProcess;
  readonly adminPort: number;
  /** What it wrote to standard error so far, one JSON line per entry. */
  readonly log: readonly string[];
  admin(path: string): Promise<string>;
  /** The port of a listener. */
  port(name: string): Promise<number>;
  /** Resident bytes. */
  resident(): Promise<number>;
  /** Resolves with the exit status. */
  ended(): Promise<number | null>;
}

/** Flags of Node and of the proxy, and further fields of the bootstrap. */
export interface ProcessFlags {
  readonly nodeFlags?: readonly string[];
  readonly flags?: readonly string[];
  readonly more?: object;
  /** How many files and sockets it may have open. */
  readonly openFiles?: number;
}

/** Starts `weft proxy` with these resources and waits until it serves; it is killed when the test ends. */
export async function startProxyProcess(
  context: Pick<TestContext, 'after'>,
  resources: object,
  { nodeFlags = [], flags = [], more = {}, openFiles }: ProcessFlags = {},
): Promise<ProxyProcess> {
  const path = join(temporaryFolder(context), 'bootstrap.json');
  const admin = { address: { socket_address: { address: '127.0.0.1', port_value: 0 } } };
  writeFileSync(path, JSON.stringify({ admin, static_resources: resources, ...more }));
  const command = [process.execPath, ...nodeFlags, entry, '-c', path, ...flags];
  const limited = openFiles === undefined ? [] : ['sh', '-c', `ulimit -n ${openFiles}; exec "$0" "$@"`];
  const [file = '', ...args] = [...limited, ...command];
  const child = spawn(file, args, {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  context.after(() => {
    child.kill('SIGKILL');
  });
  const exited = once(child, 'exit');
  const log: string[] = [];
  const adminPort = await within('the proxy to start', readAdminPort(child, log), 20_000);
  const ask = (page: string) => fetchText(adminPort, page);
  return {
    child,
    adminPort,
    log,
    admin: ask,
    port: async (name) => portOf(await ask('/listeners'), name),
    resident: async () => Number(JSON.parse(await ask('/memory')).total_physical_bytes),
    ended: async () => ((await within('the proxy to end', exited, 20_000)) as [number | null])[0],
  };
}

function readAdminPort(child: ChildProcess, log: string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    if (child.stderr === null) return;
    createInterface(child.stderr).on('line', (line) => {
      log.push(line);
      const port = /"message":"started".*"address":"127\.0\.0\.1:(\d+)"/.exec(line)?.[1];
      if (port !== undefined) resolve(Number(port));
    });
    child.once('exit', (status) => reject(new Error(`the proxy ended with ${status}:\n${log.join('\n')}`)));
  });
}

function portOf(listeners: string, name: string): number {
  const line = listeners.split('\n').find((one) => one.startsWith(`${name}::`));
  return Number(line?.split(':').at(-1));
}

function fetchText(port: number, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port, path, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        body += chunk;
      });
      response.on('end', () => resolve(body));
    });
    request.on('error', reject);
  });
}
