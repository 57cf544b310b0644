// h2spec, the conformance suite of HTTP/2: built from its Go module once, then run against an address.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../source/tree.ts';

const version = 'v2.2.1+incompatible';
const module = 'github.com/summerwind/h2spec/cmd/h2spec';

/** What a run said. */
export interface Score {
  readonly tests: number;
  readonly passed: number;
  readonly report: string;
}

/** Why the suite cannot run on this machine; null when it can. */
export function missingGo(): string | null {
  const { status } = spawnSync('go', ['version'], { stdio: 'ignore' });
  return status === 0 ? null : 'Go is not on $PATH, and the suite is a Go program; install Go to run it';
}

/** The path of the suite's program, fetched and built unless it is there. */
export function buildSuite(): string {
  const folder = join(repositoryRoot, 'node_modules/.cache/h2spec', version);
  const program = join(folder, 'h2spec');
  if (existsSync(program)) return program;
  mkdirSync(folder, { recursive: true });
  console.log(`building ${module}@${version}`);
  const env = { ...process.env, GOBIN: folder };
  const { status } = spawnSync('go', ['install', `${module}@${version}`], { stdio: 'inherit', env });
  if (status !== 0) throw new Error(`go install ended with ${status}: see above; check the network and try again`);
  return program;
}

/** Runs it whole, or only the given sections. */
export async function runSuite(program: string, port: number, sections: readonly string[]): Promise<Score> {
  const child = spawn(program, ['-h', '127.0.0.1', '-p', String(port), '-o', '2', ...sections]);
  let report = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      report += text;
    });
  }
  await new Promise<void>((resolve, reject) => child.on('error', reject).on('close', () => resolve()));
  const [, tests = '0', passed = '0'] = /^(\d+) tests, (\d+) passed/m.exec(report) ?? [];
  return { tests: Number(tests), passed: Number(passed), report };
}
