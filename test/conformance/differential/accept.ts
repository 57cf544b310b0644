// `npm run conformance -- differential accept`: writes the differences that are seen now, and the page about them. Look at `git diff`.

import { readCorpus } from './corpus.ts';
import { type Difference, explain, readKept, writeKept } from './differences.ts';
import { writePage } from './page.ts';
import { compare, envoyVersion, skip } from './runner.ts';

function keptBefore(): readonly Difference[] {
  try {
    return readKept().differences;
  } catch {
    return [];
  }
}

if (skip !== false) {
  console.log(`skipped: ${skip}`);
} else {
  const cases = readCorpus();
  const found = await compare(cases, keptBefore());
  const differences = found.map((seen) => ({ reason: explain(seen) ?? 'unexplained', ...seen }));
  const http2Cases = cases.filter((one) => one.downstream === 'http2' || one.upstream === 'http2').length;
  const kept = { envoyVersion: envoyVersion(), http1Cases: cases.length - http2Cases, http2Cases, differences };
  writeKept(kept);
  writePage(kept);
  const open = differences.filter(({ reason }) => reason === 'unexplained');
  console.log(`${cases.length} cases, ${differences.length} differences, ${open.length} of them without a reason`);
  for (const { name, envoy, weft } of open) console.log(JSON.stringify({ name, envoy, weft }));
  process.exitCode = open.length === 0 ? 0 : 1;
}
