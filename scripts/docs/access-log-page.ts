// docs/access-log.md: sinks, filters and operators of access logs.

import { defaultTextFormat, operatorNames } from '../../proxy/src/telemetry/format.ts';
import { flagNames } from '../../proxy/src/telemetry/operator/response-flag.ts';
import { operatorHelp } from './operator-help.ts';

/** The page's text. */
export function accessLogPage(): string {
  const operators = operatorNames().map((name) => `| \`${name}\` | ${operatorHelp[name] ?? ''} |`);
  const flags = [...flagNames].map(([flag, name]) => `| ${flag} | ${name} |`);
  return `${opening}
## Operators

Written \`%NAME%\`, \`%NAME(ARGUMENT)%\`, or with a limit of characters \`%NAME(ARGUMENT):LIMIT%\`; \`%%\` is one \`%\`. What is absent
is \`-\` in text, null in JSON, and nothing with \`omit_empty_values\`. In JSON a lone operator keeps its type. In text, quotes,
backslashes and control characters in what a peer sent are written as \`\\xNN\`, so that no peer can forge a field or a line. The same
operators serve the values of headers that a route adds.

| operator | what it gives |
|---|---|
${operators.join('\n')}

## Response flags

| flag | name |
|---|---|
${flags.join('\n')}
`;
}

const opening = `# Access logs

Made by \`node scripts/docs.ts\` from the source; do not edit.

\`access_log\` of a connection manager or a TCP proxy takes Envoy's \`FileAccessLog\`, \`StdoutAccessLog\` and \`StderrAccessLog\`, as text
or JSON, with the filters for status, duration, response flag, header, gRPC status, chance, and their combination by
and and or. A file that was renamed is opened anew within five seconds, or at once after SIGUSR1. One line is written per exchange or
connection when it is over, also when it failed. Without a format the line is Envoy's:

\`\`\`
${defaultTextFormat.trimEnd()}
\`\`\`
`;
