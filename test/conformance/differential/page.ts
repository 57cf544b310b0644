// docs/differences-from-envoy.md: what the differential test sees, and why it is so.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Kept, KeptDifference } from './differences.ts';
import { reasons, type Verdict } from './reasons.ts';

const file = join(import.meta.dirname, '../../../docs/differences-from-envoy.md');
const listedCases = 12;

const verdicts: Readonly<Record<Verdict, string>> = {
  safer: 'Deliberate and safer',
  standard: 'As the standard says',
  default: "Defaults of Envoy's",
  words: 'The same, in other words',
};

/** The page's text. */
export function differencesPage(kept: Kept): string {
  const sections = (Object.keys(verdicts) as Verdict[]).map((verdict) => section(verdict, kept));
  return `${opening(kept)}\n${sections.join('\n')}`;
}

export function writePage(kept: Kept): void {
  writeFileSync(file, differencesPage(kept));
}

export function readPage(): string {
  return readFileSync(file, 'utf8');
}

function opening({ envoyVersion, http1Cases, http2Cases, differences }: Kept): string {
  return `# Differences from Envoy

Made by \`npm run conformance -- differential accept\` from \`test/conformance/differential\`; do not edit.

The same ${http1Cases + http2Cases} requests and responses, ${http1Cases} in HTTP/1 and ${http2Cases} with HTTP/2, odd and hostile ones above all, go through
Weft and through Envoy ${envoyVersion} with the same bootstrap. What the client gets, what reaches the upstream, whether the connection
ends and what the access log says is the same in all but ${differences.length} of them. A test holds every difference to this page.

Left out of the comparison: \`date\`, \`server\`, \`x-envoy-upstream-service-time\` and \`x-weft-decision\`, the bodies and headers of the
replies that a proxy makes itself, the order of fields of different names, and whether a connection ends by FIN or by RST.
What validation refuses in a bootstrap is another matter: see [guides/envoy.md](guides/envoy.md).

## The process

A worker thread that hangs for \`kill_timeout\` of the \`worker_watchdog\` is replaced, and with it only its own connections are lost; Envoy aborts the
process. The main thread, and the only thread of a process with one worker, is watched by nobody in the process.
`;
}

function section(verdict: Verdict, kept: Kept): string {
  const mine = reasons.filter((reason) => reason.verdict === verdict);
  const entries = mine.map(({ id, title, why }) => {
    const covered = kept.differences.filter(({ reason }) => reason === id);
    return `### ${title}\n\n${why}\n\n${caseTable(covered)}`;
  });
  return `## ${verdicts[verdict]}\n\n${entries.join('\n')}`;
}

function caseTable(covered: readonly KeptDifference[]): string {
  const rows = covered
    .slice(0, listedCases)
    .map(({ name, envoy, weft }) => `| ${code(name)} | ${brief(envoy)} | ${brief(weft)} |`);
  const rest = covered.length - rows.length;
  const more = rest > 0 ? `\nand ${rest} more in \`test/conformance/differential/differences.jsonl\`\n` : '';
  return `| case | only Envoy | only Weft |\n|---|---|---|\n${rows.join('\n')}\n${more}`;
}

const briefLines = 3;

function brief(lines: readonly string[]): string {
  const shown = lines.slice(0, briefLines).map(code).join('<br>');
  return lines.length > briefLines ? `${shown} …` : shown;
}

// Bars would end a cell, also between backticks.
function code(text: string): string {
  const short = text.length > 100 ? `${text.slice(0, 100)}…` : text;
  return `<code>${short.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('|', '&#124;').replaceAll('`', '&#96;')}</code>`;
}
