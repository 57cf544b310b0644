// h2spec, the conformance suite of HTTP/2, in the clear and over TLS.

import { spawn } from 'node:child_process';
import { Cleanups } from '../../kit/cleanups.ts';
import { buildGo, missingGo } from './go-program.ts';
import { startSubject } from './subject.ts';
import type { Suite } from './suite.ts';

const version = 'v2.2.1+incompatible';
const module = 'github.com/summerwind/h2spec/cmd/h2spec';
/** Fewer would mean that the suite did not run whole. */
const expectedTests = 145;

let program: string | null = null;

function prepare(): string | null {
  const reason = missingGo();
  if (reason !== null) return reason;
  program = buildGo(module, version);
  return program === null ? `${module} could not be built: see above; check the network and try again` : null;
}

/** What a run said. */
interface Score {
  readonly tests: number;
  readonly passed: number;
  readonly report: string;
}

async function runProgram(port: number, options: readonly string[]): Promise<Score> {
  const child = spawn(program ?? '', ['-h', 'localhost', '-p', String(port), '-o', '2', ...options]);
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

async function score(name: string, isTls: boolean, sections: readonly string[]): Promise<boolean> {
  const cleanups = new Cleanups();
  try {
    const port = await startSubject(cleanups, isTls);
    const { tests, passed, report } = await runProgram(port, [...(isTls ? ['-t', '-k'] : []), ...sections]);
    const isWhole = sections.length > 0 || tests >= expectedTests;
    const isPassed = passed === tests && tests > 0 && isWhole;
    if (!isPassed) console.log(report);
    console.log(`${name}: ${passed} of ${tests}${isWhole ? '' : `, ${expectedTests} were expected`}`);
    return isPassed;
  } finally {
    await cleanups.run();
  }
}

function suite(name: string, text: string, isTls: boolean): Suite {
  return { name, text, prepare, run: (sections) => score(name, isTls, sections) };
}

export const h2specSuites: readonly Suite[] = [
  suite('h2spec', 'HTTP/2 in the clear', false),
  suite('h2spec-tls', 'HTTP/2 over TLS', true),
];
