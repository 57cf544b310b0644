// gRPC's interoperability cases with Go's own client and server, and the proxy between them.

import { type ChildProcess, spawn } from 'node:child_process';
import { connect } from 'node:net';
import { Cleanups } from '../../kit/cleanups.ts';
import { freePorts } from '../../kit/ports.ts';
import { topologies } from '../grpc/topology.ts';
import { buildGo, missingGo } from './go-program.ts';
import type { Suite } from './suite.ts';

const version = 'v1.76.0';
const readyWithinMs = 15_000;
const caseWithinMs = 30_000;

/** What Go's client knows and what needs neither a cloud nor credentials. */
const cases: readonly string[] = [
  'empty_unary',
  'large_unary',
  'client_streaming',
  'server_streaming',
  'ping_pong',
  'empty_stream',
  'timeout_on_sleeping_server',
  'cancel_after_begin',
  'cancel_after_first_response',
  'status_code_and_message',
  'special_status_message',
  'custom_metadata',
  'unimplemented_method',
  'unimplemented_service',
];

const programs: { client: string | null; server: string | null } = { client: null, server: null };

function prepare(): string | null {
  const reason = missingGo();
  if (reason !== null) return reason;
  programs.client = buildGo('google.golang.org/grpc/interop/client', version);
  programs.server = programs.client && buildGo('google.golang.org/grpc/interop/server', version);
  return programs.server === null
    ? 'the programs of google.golang.org/grpc/interop could not be built: see above; check the network and try again'
    : null;
}

async function startServer(cleanups: Cleanups): Promise<number> {
  const [port = 0] = await freePorts(1);
  const child = spawn(programs.server ?? '', [`-port=${port}`], { stdio: 'ignore' });
  cleanups.after(() => stop(child));
  await untilListening(port, child);
  return port;
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await new Promise((resolve) => child.on('close', resolve));
}

async function untilListening(port: number, child: ChildProcess): Promise<void> {
  const giveUpAt = performance.now() + readyWithinMs;
  while (performance.now() < giveUpAt && child.exitCode === null) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false));
      socket.on('connect', () => socket.destroy());
    });
    if (isOpen) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`Go's interop server ${child.exitCode === null ? 'did not listen in time' : 'ended'}`);
}

/** Null when the case passed, else what the client said. */
async function failureOf(name: string, port: number): Promise<string | null> {
  const options = [`-server_host=127.0.0.1`, `-server_port=${port}`, `-test_case=${name}`, '-use_tls=false'];
  const child = spawn(programs.client ?? '', options, { timeout: caseWithinMs });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
  }
  const status = await new Promise((resolve, reject) => child.on('error', reject).on('close', resolve));
  return status === 0 ? null : said || `ended with ${String(status)}`;
}

async function run(): Promise<boolean> {
  let isPassed = true;
  for (const topology of topologies) {
    const cleanups = new Cleanups();
    try {
      const port = await topology.start(cleanups, await startServer(cleanups));
      let passed = 0;
      for (const name of cases) {
        const failure = await failureOf(name, port);
        if (failure === null) passed++;
        else console.log(`grpc-go, ${topology.name}: ${name} failed\n${failure}`);
      }
      console.log(`grpc-go, ${topology.name}: ${passed} of ${cases.length}`);
      isPassed &&= passed === cases.length;
    } finally {
      await cleanups.run();
    }
  }
  return isPassed;
}

export const grpcGoSuite: Suite = { name: 'grpc-go', text: 'gRPC with client and server in Go', prepare, run };
