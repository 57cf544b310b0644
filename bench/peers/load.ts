// Drives a port with wrk or h2load, pinned to a core, and reads what they measured.

import { spawn } from 'node:child_process';
import { createReadStream, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { acceptsTls, type CaseName, loadPath, speaksHttp2, type Task } from './bench-case.ts';
import { needProgram } from './program.ts';

/** What the client saw. */
export interface LoadResult {
  readonly requests: number;
  readonly failed: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Throws when a program that a case's load needs is not there. */
export function needLoadProgram(name: CaseName, rate: number): void {
  if (speaksHttp2(name) || rate > 0) needProgram('h2load', 'nghttp2-client');
  else needProgram('wrk', 'wrk');
}

function run(core: number, command: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('taskset', ['-c', String(core), ...command], { stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => (text += chunk));
    child.stderr.on('data', (chunk: Buffer) => (text += chunk));
    child.once('error', reject);
    child.once('exit', (code) =>
      code === 0 ? resolve(text) : reject(new Error(`${command[0]} ended with ${code}: ${text}`)),
    );
  });
}

/** How to load. */
export interface LoadPlan {
  /** Core of the client. */
  readonly core: number;
  readonly seconds: number;
  /** Requests per second to keep to; 0 for as many as are answered. */
  readonly rate: number;
  /** So many paths are asked for in turn; with more than one, wrk also sends a header that differs each time. */
  readonly paths: number;
  /** Each request on a connection of its own (wrk only). */
  readonly close: boolean;
  /** Times as many connections as a case has otherwise. */
  readonly connectionFactor: number;
}

/** Loads the port. `direct` loads the backend itself, in plain text. */
export function runLoad(task: Task, port: number, direct: boolean, plan: LoadPlan): Promise<LoadResult> {
  const scheme = acceptsTls(task) && !direct ? 'https' : 'http';
  const url = `${scheme}://127.0.0.1:${port}${loadPath}`;
  // wrk cannot keep to a rate.
  return speaksHttp2(task.name) || plan.rate > 0 ? runH2load(task, url, plan) : runWrk(task, url, plan);
}

const unitMs: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000, m: 60000 };

async function runWrk(task: Task, url: string, plan: LoadPlan): Promise<LoadResult> {
  const { core, seconds, paths, close } = plan;
  const program = needProgram('wrk', 'wrk');
  const shape = ['-t', '1', '-c', String(connectionsOf(task, plan)), '-d', `${seconds}s`];
  const words = [...shape, '--latency', ...scriptWords(task, paths, close)];
  const text = await run(core, [program, ...words, url]);
  const percentile = (name: string): number => {
    const [, value = 'NaN', unit = 'ms'] = new RegExp(`^\\s*${name}%\\s+([0-9.]+)(us|ms|s|m)$`, 'm').exec(text) ?? [];
    return Number(value) * (unitMs[unit] ?? Number.NaN);
  };
  const total = /([0-9]+) requests in ([0-9.]+)(s|m),/.exec(text);
  if (total === null) throw new Error(`wrk said something unexpected: ${text}`);
  const requests = Number(total[1]);
  const duration = Number(total[2]) * (total[3] === 'm' ? 60 : 1);
  const socketErrors =
    /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text)?.slice(1) ?? [];
  const otherAnswers = Number(/Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? 0);
  const failed = socketErrors.reduce((sum, count) => sum + Number(count), otherAnswers);
  return { requests, failed, perSecond: requests / duration, p50Ms: percentile('50'), p99Ms: percentile('99') };
}

function scriptWords(task: Task, paths: number, close: boolean): string[] {
  if (paths === 1 && !close) return [];
  const script = join(task.folder, 'paths.lua');
  const path = paths === 1 ? `"${loadPath}"` : `"${loadPath}/" .. (n % ${paths})`;
  const headers = [paths === 1 ? '' : '["x-number"] = tostring(n)', close ? '["connection"] = "close"' : ''];
  const call = `wrk.format("GET", ${path}, { ${headers.filter((text) => text !== '').join(', ')} })`;
  writeFileSync(script, `local n = 0\nrequest = function()\n  n = n + 1\n  return ${call}\nend\n`);
  return ['-s', script];
}

// Its summary has no percentiles; the log has a line for each request: start, status, duration, in microseconds.
async function runH2load(task: Task, url: string, plan: LoadPlan): Promise<LoadResult> {
  const program = needProgram('h2load', 'nghttp2-client');
  const log = join(task.folder, 'h2load.log');
  rmSync(log, { force: true });
  const words = ['-t', '1', '-D', String(plan.seconds), '--log-file', log, ...shapeWords(task, plan)];
  const text = await run(plan.core, [program, ...words, ...grpcWords(task), ...urlWords(task, url, plan.paths)]);
  const counts =
    /requests: \d+ total, \d+ started, \d+ done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout/.exec(
      text,
    );
  const rate = /finished in [^,]+, ([0-9.]+) req\/s/.exec(text);
  if (counts === null || rate === null) throw new Error(`h2load said something unexpected: ${text}`);
  const [, succeeded = 0, failed = 0, errored = 0, timedOut = 0] = counts.map(Number);
  const times = await readDurations(log);
  return {
    requests: succeeded,
    failed: failed + errored + timedOut,
    perSecond: Number(rate[1]),
    p50Ms: percentileOf(times, 0.5),
    p99Ms: percentileOf(times, 0.99),
  };
}

function connectionsOf(task: Task, plan: LoadPlan): number {
  return (speaksHttp2(task.name) ? 16 : 64) * plan.connectionFactor;
}

// A rate is given per client.
function shapeWords(task: Task, plan: LoadPlan): string[] {
  const clients = connectionsOf(task, plan);
  const streams = speaksHttp2(task.name) ? ['-m', '32'] : ['--h1', '-m', '1'];
  const shape = ['-c', String(clients), ...streams];
  return plan.rate === 0 ? shape : [...shape, '--rps', String(plan.rate / clients)];
}

function urlWords(task: Task, url: string, paths: number): string[] {
  if (paths === 1) return [url];
  const list = join(task.folder, 'urls.txt');
  writeFileSync(list, Array.from({ length: paths }, (_, number) => `${url}/${number}\n`).join(''));
  return ['-i', list];
}

function grpcWords(task: Task): string[] {
  if (task.name !== 'grpc') return [];
  // One message of 21 bytes: not compressed, its length, its bytes.
  const message = join(task.folder, 'message.bin');
  writeFileSync(message, Buffer.concat([Buffer.from([0, 0, 0, 0, 21]), Buffer.alloc(21, 'm')]));
  return ['-d', message, '-H', 'content-type: application/grpc', '-H', 'te: trailers'];
}

async function readDurations(log: string): Promise<Float64Array> {
  const times: number[] = [];
  for await (const line of createInterface({ input: createReadStream(log) })) {
    const duration = Number(line.split('\t')[2]);
    if (Number.isFinite(duration)) times.push(duration / 1000);
  }
  return Float64Array.from(times).sort();
}

function percentileOf(sorted: Float64Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
