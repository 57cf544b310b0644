// docs/issues.md: every code of a finding in configuration. Those of resources come with their explanation, the others with the
// part of Weft that reports them, where the message itself says what to do.

import { dirname } from 'node:path';
import { issueCodes } from '../../control-plane/src/resource/issue-code.ts';
import type { SourceFile } from '../source/source-file.ts';

/** The page's text. */
export function issuesPage(sources: readonly SourceFile[]): string {
  const explained = Object.values(issueCodes).sort((a, b) => (a.code < b.code ? -1 : 1));
  const known = new Set(explained.map((one) => one.code));
  const entries = explained.map((one) => `### ${one.code}\n\n${one.title} (${one.level}). ${one.text}\n`);
  const rows = [...findCodes(sources)]
    .filter(([code]) => !known.has(code))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(
      ([code, folders]) =>
        `| ${code} | ${[...folders]
          .sort()
          .map((folder) => `\`${folder}/\``)
          .join(', ')} |`,
    );
  return `${opening}\n## Resources\n\n${entries.join('\n')}\n## Bootstrap, xDS and tools\n\n| code | reported by |\n|---|---|\n${rows.join('\n')}\n`;
}

const opening = `# Issues

Made by \`node scripts/docs.ts\` from the source; do not edit.

A finding of validation has a permanent code, a level, the resource and field it is about, and a message that says what happened,
why, and what to do. \`weft analyze\`, \`weft apply\`, the mesh API, the status of a resource, the log and the NACK of a proxy all show
the same findings. An error of a resource itself refuses the change and leaves the last good version in force; a warning does not. What
does not fit together with other resources (WEFT0480 and up) is written all the same, as the order in which resources come must not
matter: \`apply\` tells it as a warning, \`analyze\` and the status by the level given here. Failures of single requests are listed in [errors.md](errors.md).
`;

/** Codes in the source and the folders that mention them. */
function findCodes(sources: readonly SourceFile[]): Map<string, Set<string>> {
  const found: Map<string, Set<string>> = new Map();
  for (const source of sources) {
    if (/^(?:test|scripts)\/|\/testing\/|\.test\.ts$/.test(source.path)) continue;
    for (const match of source.text.matchAll(/'(WEFT\d{4})'/g)) {
      const code = match[1] ?? '';
      found.set(code, (found.get(code) ?? new Set()).add(dirname(source.path)));
    }
  }
  return found;
}
