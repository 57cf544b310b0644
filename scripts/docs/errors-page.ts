// docs/errors.md: the fault table of the proxy.

import { type Fault, type FaultCode, type FaultSource, fault } from '../../proxy/src/fault/fault.ts';
import { faultAdvice } from '../../proxy/src/telemetry/fault-advice.ts';

const titles: Readonly<Record<FaultSource, string>> = {
  downstream: 'Caused by the client',
  config: 'Caused by configuration',
  upstream: 'Caused by the endpoint',
  proxy: 'Caused by limits and state of the proxy',
};

const retries: Readonly<Record<Fault['retriable'], string>> = {
  yes: 'yes: the endpoint cannot have seen it',
  idempotent: 'if the request may be repeated',
  reset: 'by the `reset` policy',
  never: 'no',
};

/** The page's text. */
export function errorsPage(): string {
  const sections = Object.entries(titles).map(([source, title]) => {
    const rows = Object.values(fault).filter((one) => one.source === source);
    return `## ${title}\n\n${rows.map(entry).join('\n')}`;
  });
  return `${opening}\n${sections.join('\n')}`;
}

const opening = `# Errors

Made by \`node scripts/docs.ts\` from the fault table (\`proxy/src/fault/fault.ts\`); do not edit.

Every way in which the mesh can fail an exchange has a permanent code. The code stands in the access log
(\`%RESPONSE_CODE_DETAILS%\`, where nothing more exact is known), in \`weft explain ID\` and in the admin page \`/decisions\`. Status
and gRPC status are those of the reply that the mesh makes in place of the endpoint; 0 means that there is nobody to answer. The
flag is Envoy's (\`%RESPONSE_FLAGS%\`). What validation finds in configuration is listed in [issues.md](issues.md).
`;

function entry(one: Fault): string {
  const advice = faultAdvice[one.code as FaultCode] ?? '';
  return `### ${one.code}

${one.message.charAt(0).toUpperCase()}${one.message.slice(1)}. ${advice}

HTTP ${one.status} · gRPC ${one.grpcStatus} · flag ${one.flag} · tried again: ${retries[one.retriable]}
`;
}
