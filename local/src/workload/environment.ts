// The environment of a user's process: where to listen, which forward proxy captures its calls, where TCP services are.
import { execFileSync } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { delimiter, dirname } from 'node:path';
import { findProgram } from '../process/child.ts';
import type { TcpService, Workload } from './workload.ts';

/** Variables of ours, or of npm's and Node's making, that would change how a user's program runs. */
const withheld = /^(WEFT_|npm_|NODE_COMPILE_CACHE$|NODE_CHANNEL_FD$|NODE_V8_COVERAGE$|NODE_TEST_CONTEXT$|INIT_CWD$)/;
const noProxy = 'localhost,127.0.0.1,::1';

/** What a process of this workload gets: the supervisor's environment, ours, then what its definition says. */
export function environmentOf(
  workload: Workload,
  tcp: readonly TcpService[],
  own: Readonly<Record<string, string>>,
  inherited: NodeJS.ProcessEnv,
): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = {};
  for (const [name, value] of Object.entries(inherited)) if (!withheld.test(name)) env[name] = value;
  Object.assign(
    env,
    portVariables(workload),
    workload.hasProxy ? captureVariables(workload) : {},
    tcpVariables(tcp, workload.namespace),
    own,
  );
  env.PATH = pathWithNode(env.PATH ?? '');
  return env;
}

function portVariables(workload: Workload): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const port of workload.ports) {
    variables.PORT ??= String(port.targetPort);
    variables[`PORT_${variableName(port.name)}`] = String(port.targetPort);
  }
  return variables;
}

/** Both cases of each name: curl reads lower case only, others upper case only. */
function captureVariables(workload: Workload): Record<string, string> {
  const proxy = `http://weft:${workload.credential}@127.0.0.1:${workload.capturePort}`;
  return {
    HTTP_PROXY: proxy,
    http_proxy: proxy,
    HTTPS_PROXY: proxy,
    https_proxy: proxy,
    NO_PROXY: noProxy,
    no_proxy: noProxy,
    NODE_USE_ENV_PROXY: '1',
  };
}

/** A short name means the service of the own namespace; where that has none, the first of the others. */
function tcpVariables(tcp: readonly TcpService[], namespace: string): Record<string, string> {
  const variables: Record<string, string> = {};
  const hosts = new Map<string, string>();
  const isOwn = ({ host }: TcpService): boolean => host.split('.')[1] === namespace;
  for (const service of [...tcp.filter(isOwn), ...tcp.filter((each) => !isOwn(each))]) {
    const name = variableName(service.service);
    if ((hosts.get(name) ?? service.host) !== service.host) continue;
    hosts.set(name, service.host);
    // The first port has the short name too, as in Kubernetes.
    variables[`${name}_SERVICE_HOST`] = '127.0.0.1';
    variables[`${name}_SERVICE_PORT`] ??= String(service.listenPort);
    if (service.portName !== '')
      variables[`${name}_SERVICE_PORT_${variableName(service.portName)}`] = String(service.listenPort);
  }
  return variables;
}

/** `my-cache` as `MY_CACHE`. */
export function variableName(name: string): string {
  return name.toUpperCase().replace(/[^A-Z0-9_]/g, '_');
}

/** Puts the folder of this Node in front when the PATH has none, or one too old to honour HTTP_PROXY by itself. */
export function pathWithNode(path: string): string {
  const found = findProgram('node', path, process.cwd());
  if (found !== null && !isOlder(nodeVersion(found), process.versions.node)) return path;
  return [dirname(process.execPath), path].filter((part) => part !== '').join(delimiter);
}

const versions = new Map<string, string>();

function nodeVersion(program: string): string {
  const known = versions.get(program);
  if (known !== undefined) return known;
  const version = askVersion(program);
  versions.set(program, version);
  return version;
}

function askVersion(program: string): string {
  try {
    if (realpathSync(program) === realpathSync(process.execPath)) return process.versions.node;
    return execFileSync(program, ['--version'], {
      encoding: 'utf8',
      timeout: 5000,
      stdio: ['ignore', 'pipe', 'ignore'],
    })
      .trim()
      .slice(1);
  } catch {
    return '0.0.0';
  }
}

function isOlder(version: string, than: string): boolean {
  const left = version.split('.').map(Number);
  const right = than.split('.').map(Number);
  for (let i = 0; i < 3; i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}
