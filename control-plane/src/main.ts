// The process of the control plane: flags in, signals out. `weft up` starts it; it can run by itself as well.

import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parseDurationMs } from '@weft/api/resource/duration';
import { messageOf, WeftError } from '@weft/lib/error';
import { pino } from 'pino';
import { readToken } from './api-token.ts';
import { type ControlPlaneOptions, startControlPlane } from './control-plane.ts';
import { exitStatusOf } from './exit-status.ts';
import { logOutput } from './log-output.ts';
import type { MeshSettings } from './model/settings.ts';

const usage = `Usage: weft control-plane --state DIR --token-file FILE [options]

Serves configuration to proxies (xDS), certificates (gRPC) and the mesh API (HTTP).

  --config DIR            directory of resource files, watched
  --state DIR             where resources, keys and join tokens are kept
  --token-file FILE       file with the bearer token of the mesh API
  --api-port PORT         port of the mesh API (7070; 0 for any free one)
  --xds-port PORT         port of xDS and certificates (15012; 0 for any free one)
  --host ADDRESS          address of both ports (127.0.0.1)
  --trust-domain NAME     trust domain of identities (cluster.local)
  --ca DIR                certificate authority to use (ca-cert.pem, ca-key.pem, cert-chain.pem, root-cert.pem)
  --certificate-ttl TIME  lifetime of workload certificates (24h)
  --mtls MODE             STRICT, PERMISSIVE or DISABLE where no PeerAuthentication says otherwise (STRICT)
  --outbound POLICY       ALLOW_ANY or REGISTRY_ONLY for names that no service has (ALLOW_ANY)
  --plaintext-xds         xDS without TLS and without proof of identity, no certificates: for meshes without mutual TLS
  --log-level LEVEL       debug, info, warn or error (info)
  --help                  this text

Example:
  weft control-plane --config examples/bookinfo --state .weft/control-plane --token-file .weft/token
`;

const flags = {
  config: { type: 'string' },
  state: { type: 'string' },
  'token-file': { type: 'string' },
  'api-port': { type: 'string' },
  'xds-port': { type: 'string' },
  host: { type: 'string' },
  'trust-domain': { type: 'string' },
  ca: { type: 'string' },
  'certificate-ttl': { type: 'string' },
  mtls: { type: 'string' },
  outbound: { type: 'string' },
  'plaintext-xds': { type: 'boolean' },
  'log-level': { type: 'string' },
  help: { type: 'boolean' },
} as const;

type Flags = ReturnType<typeof readFlags>;

function readFlags(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: flags, strict: true }).values;
  } catch (error) {
    throw usageError(messageOf(error));
  }
}

function usageError(message: string): WeftError {
  return new WeftError('WEFT0625', `${message}; see weft control-plane --help`);
}

function portOf(values: Flags, name: 'api-port' | 'xds-port', fallback: number): number {
  const text = values[name];
  if (text === undefined) return fallback;
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw usageError(`--${name} ${text} is no port`);
}

function choiceOf<T extends string>(text: string | undefined, choices: readonly T[], flag: string): T | undefined {
  if (text === undefined) return undefined;
  const choice = choices.find((candidate) => candidate === text.toUpperCase());
  if (choice === undefined) throw usageError(`--${flag} ${text} is none of ${choices.join(', ')}`);
  return choice;
}

function settingsOf(values: Flags): Partial<MeshSettings> {
  const mutualTls = choiceOf(values.mtls, ['STRICT', 'PERMISSIVE', 'DISABLE'], 'mtls');
  const outboundPolicy = choiceOf(values.outbound, ['ALLOW_ANY', 'REGISTRY_ONLY'], 'outbound');
  const trustDomain = values['trust-domain'];
  return {
    ...(mutualTls === undefined ? {} : { mutualTls }),
    ...(outboundPolicy === undefined ? {} : { outboundPolicy }),
    ...(trustDomain === undefined ? {} : { trustDomain }),
  };
}

function optionsOf(values: Flags, tokenFile: string): Omit<ControlPlaneOptions, 'log'> {
  const ttl = values['certificate-ttl'];
  const certificateTtlMs = ttl === undefined ? undefined : parseDurationMs(ttl);
  if (certificateTtlMs === null) throw usageError(`--certificate-ttl ${ttl} is no duration`);
  return {
    configDirectory: values.config ?? null,
    stateDirectory: values.state ?? null,
    token: readToken(tokenFile),
    apiPort: portOf(values, 'api-port', 7070),
    xdsPort: portOf(values, 'xds-port', 15_012),
    host: values.host ?? '127.0.0.1',
    settings: settingsOf(values),
    plaintext: values['plaintext-xds'] === true,
    authorityDirectory: values.ca ?? null,
    ...(certificateTtlMs === undefined ? {} : { certificateTtlMs }),
  };
}

const logLevels = ['debug', 'info', 'warn', 'error'];

async function run(args: readonly string[]): Promise<void> {
  const values = readFlags(args);
  if (values.help === true) {
    process.stdout.write(usage);
    return;
  }
  const level = values['log-level'] ?? 'info';
  if (!logLevels.includes(level)) throw usageError(`--log-level ${level} is none of ${logLevels.join(', ')}`);
  const tokenFile = values['token-file'];
  if (tokenFile === undefined) throw usageError('--token-file is missing');
  const log = pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, logOutput);
  const plane = await startControlPlane({ ...optionsOf(values, tokenFile), log });
  if (values.state !== undefined) plane.writeKubeconfig(join(values.state, 'kubeconfig'), tokenFile);
  const stop = (signal: string) => {
    log.info({ signal }, 'control plane stops');
    plane.close().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

try {
  await run(process.argv.slice(2));
} catch (error) {
  const code = error instanceof WeftError ? `${error.code}: ` : '';
  process.stderr.write(`weft control-plane: ${code}${messageOf(error)}\n`);
  process.exit(exitStatusOf(error));
}
