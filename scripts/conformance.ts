// `npm run conformance [-- SECTION…]`: runs the HTTP/2 conformance suite against the proxy and fails unless every test passes.
// `npm run conformance -- differential [accept]`: compares the proxy with real Envoy, or accepts the differences that are seen.

import { spawnSync } from 'node:child_process';
import { buildSuite, missingGo, runSuite } from './conformance/h2spec.ts';
import { startSubject } from './conformance/subject.ts';

/** Fewer would mean that the suite did not run whole. */
const expectedTests = 145;

function runDifferential(accepts: boolean): number {
  const folder = 'test/conformance/differential';
  const args = accepts ? [`${folder}/accept.ts`] : ['--test', `${folder}/differential.test.ts`];
  return spawnSync(process.execPath, args, { stdio: 'inherit' }).status ?? 1;
}

async function main(): Promise<number> {
  const reason = missingGo();
  if (reason !== null) {
    console.log(`skipped: ${reason}`);
    return 0;
  }
  const sections = process.argv.slice(2);
  const program = buildSuite();
  const subject = await startSubject();
  try {
    const { tests, passed, report } = await runSuite(program, subject.port, sections);
    const isWhole = sections.length > 0 || tests >= expectedTests;
    const isPassed = passed === tests && tests > 0 && isWhole;
    if (!isPassed) console.log(report);
    console.log(`h2spec: ${passed} of ${tests}${isWhole ? '' : `, ${expectedTests} were expected`}`);
    return isPassed ? 0 : 1;
  } finally {
    await subject.close();
  }
}

const [suite, verb] = process.argv.slice(2);
process.exitCode = suite === 'differential' ? runDifferential(verb === 'accept') : await main();
