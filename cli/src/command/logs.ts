// weft logs WORKLOAD: what a process, its sidecar or the control plane wrote.
import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import { setTimeout as sleep } from 'node:timers/promises';
import { WeftError } from '@weft/lib/error';
import type { StatePaths } from '@weft/local/state/folder';
import { readRunFile } from '@weft/local/state/run-file';
import { Command, InvalidArgumentError } from 'commander';
import { exitCode } from '../exit-code.ts';
import type { Invocation } from '../invocation.ts';
import type { CommandMaker } from '../program.ts';

interface Options {
  readonly follow?: boolean;
  readonly proxy?: boolean;
  readonly tail?: number;
}

const pollMs = 200;
const chunkBytes = 64 * 1024;

export const logsCommand: CommandMaker = (invocation, perform) =>
  new Command('logs')
    .description('show what a process wrote, or its sidecar')
    .argument('<workload>', 'a workload of the mesh, or control-plane')
    .option('-f, --follow', 'go on as more is written')
    .option('--proxy', "the sidecar's log instead of the process's")
    .option('--tail <lines>', 'only the last lines', parseLines)
    .addHelpText(
      'after',
      `
Examples:
  $ weft logs reviews-v2
  $ weft logs -f --proxy productpage-v1
  $ weft logs --tail 20 control-plane`,
    )
    .action((workload: string, options: Options) =>
      perform(async () => {
        const path = logOf(invocation, workload, options.proxy === true);
        // A character may lie across two reads, and be half written yet.
        const decoder = new StringDecoder('utf8');
        const print = (bytes: Buffer): unknown => invocation.outside.out.write(decoder.write(bytes));
        const end = printFrom(path, options.tail === undefined ? 0 : tailStart(path, options.tail), print);
        if (options.follow) await follow(path, end, print);
        invocation.outside.out.write(decoder.end());
        return exitCode.ok;
      }),
    );

function parseLines(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('Give a number of lines.');
  return Number(text);
}

function logOf(invocation: Invocation, name: string, isProxy: boolean): string {
  const path = name === 'control-plane' ? controlPlaneLog(invocation.paths) : workloadLog(invocation, name, isProxy);
  if (existsSync(path)) return path;
  throw new WeftError('WEFT0817', `${name} has no ${isProxy ? "sidecar's " : ''}log yet (${path})`);
}

/** It tells most where no mesh runs any more; where none ever did, that is what there is to say. */
function controlPlaneLog(paths: StatePaths): string {
  const path = join(paths.logs, 'control-plane.log');
  if (!existsSync(path)) readRunFile(paths);
  return path;
}

function workloadLog(invocation: Invocation, name: string, isProxy: boolean): string {
  const { log } = invocation.workload(name);
  return isProxy ? log.replace(/(?:\.proxy)?\.log$/, '.proxy.log') : log;
}

/** Where the last `lines` lines begin. */
function tailStart(path: string, lines: number): number {
  if (lines === 0) return statSync(path).size;
  const file = openSync(path, 'r');
  try {
    const chunk = Buffer.alloc(chunkBytes);
    let position = statSync(path).size;
    let left = lines;
    // A final newline ends the last line; it begins none.
    const end = position - 1;
    while (position > 0) {
      const size = Math.min(chunkBytes, position);
      position -= size;
      readSync(file, chunk, 0, size, position);
      for (let i = size - 1; i >= 0; i--) {
        if (chunk[i] !== 0x0a || position + i === end) continue;
        if (--left === 0) return position + i + 1;
      }
    }
    return 0;
  } finally {
    closeSync(file);
  }
}

/** Prints from an offset to the end; the new offset. */
function printFrom(path: string, start: number, print: (bytes: Buffer) => void): number {
  const file = openSync(path, 'r');
  try {
    const chunk = Buffer.alloc(chunkBytes);
    let position = start;
    for (
      let size = readSync(file, chunk, 0, chunkBytes, position);
      size > 0;
      size = readSync(file, chunk, 0, chunkBytes, position)
    ) {
      print(chunk.subarray(0, size));
      position += size;
    }
    return position;
  } finally {
    closeSync(file);
  }
}

async function follow(path: string, start: number, print: (bytes: Buffer) => void): Promise<void> {
  let position = start;
  for (;;) {
    await sleep(pollMs);
    if (!existsSync(path)) continue;
    const { size } = statSync(path);
    // Shorter than what was read: it was cut because it grew too large.
    if (size < position) position = 0;
    if (size > position) position = printFrom(path, position, print);
  }
}
