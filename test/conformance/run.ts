// `npm run conformance [-- SUITE… SECTION…]`: runs conformance suites of others against the proxy and fails unless every test passes.
// A suite that cannot run on this machine is skipped, and says why.
// `npm run conformance -- differential [accept]`: compares the proxy with real Envoy, or accepts the differences that are seen.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { grpcGoSuite } from './suite/grpc-go.ts';
import { h2specSuites } from './suite/h2spec.ts';

const suites = [...h2specSuites, grpcGoSuite];
/** Sections of h2spec: `generic/1`, `http2/6.5`, `hpack`. */
const section = /^(?:generic|http2|hpack)(?:\/[\d./]+)?$/;

function runDifferential(accepts: boolean): number {
  const folder = join(import.meta.dirname, 'differential');
  const args = accepts ? [join(folder, 'accept.ts')] : ['--test', join(folder, 'differential.test.ts')];
  return spawnSync(process.execPath, args, { stdio: 'inherit' }).status ?? 1;
}

async function main(): Promise<number> {
  const words = process.argv.slice(2);
  if (words[0] === 'differential') return runDifferential(words[1] === 'accept');
  const sections = words.filter((word) => section.test(word));
  const named = suites.filter(({ name }) => words.includes(name));
  const unknown = words.filter((word) => !section.test(word) && !suites.some(({ name }) => name === word));
  if (unknown.length > 0) {
    console.error(`there is no suite ${unknown.join(', ')}; there are:`);
    for (const { name, text } of suites) console.error(`  ${name.padEnd(12)}${text}`);
    console.error('and sections of h2spec, such as http2/6.5 or hpack');
    return 2;
  }
  // Sections alone are for the suites that have them.
  const chosen = named.length > 0 ? named : sections.length > 0 ? h2specSuites : suites;
  let isPassed = true;
  for (const suite of chosen) {
    const reason = suite.prepare();
    if (reason !== null) console.log(`${suite.name} skipped: ${reason}`);
    else isPassed = (await suite.run(sections)) && isPassed;
  }
  return isPassed ? 0 : 1;
}

process.exitCode = await main();
