// A file of secrets, as `path_config_source` of an SDS reference names it: what SDS would answer (`DiscoveryResponse`), as YAML or JSON.

import { createRequire } from 'node:module';
import type { envoy } from '@weft/api/xds/types';
import { formatPlace, hasErrors, type Issue } from '@weft/lib/issue';
import { decodeMessage, messageFromJson } from '@weft/lib/protobuf/codec';
import type { IssueSink } from '../security/data-source.ts';
import type { SecretFile } from '../security/secret-set.ts';
import { checkSupport } from './support.ts';

type DiscoveryResponse = envoy.service.discovery.v3.DiscoveryResponse;

const responseType = 'envoy.service.discovery.v3.DiscoveryResponse';
const secretType = 'envoy.extensions.transport_sockets.tls.v3.Secret';
const form = `resources: [{ '@type': type.googleapis.com/${secretType}, name: …, tls_certificate: … }]`;

// With a YAML parser, which only a proxy that reads such files needs; in the middle of a compilation, so not by `import()`.
function loadFileReader(): typeof import('./bootstrap-file.ts') {
  return createRequire(import.meta.url)('./bootstrap-file.ts') as typeof import('./bootstrap-file.ts');
}

/** Null after reporting everything that is wrong, each with its line in the file. */
export function readSecretFile(path: string, sink: IssueSink): SecretFile | null {
  const file = loadFileReader().readBootstrapFile(path, form);
  const issues: Issue[] = [...file.issues];
  const response = hasErrors(issues) ? null : readResponse(file.value, issues);
  for (const issue of issues) {
    const { origin } = file.locate(issue);
    const place = origin === undefined ? path : formatPlace(origin);
    const field = issue.path === undefined ? '' : ` ${issue.path}`;
    sink.issues.push({ ...issue, path: sink.path, message: `${place}${field}: ${issue.message}` });
  }
  return response === null || hasErrors(issues) ? null : collect(response);
}

function readResponse(value: unknown, issues: Issue[]): DiscoveryResponse {
  const response = messageFromJson(responseType, value, issues);
  if (!hasErrors(issues)) issues.push(...checkSupport(responseType, response));
  return response;
}

function collect(response: DiscoveryResponse): SecretFile {
  const secrets = (response.resources ?? []).map(({ value }) => decodeMessage(secretType, value ?? new Uint8Array()));
  return {
    version: response.versionInfo ?? 'file',
    secrets: new Map(secrets.map((secret) => [secret.name ?? '', secret])),
  };
}
