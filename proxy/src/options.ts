// Command-line flags of the proxy: Envoy's names where Envoy has them.

import { parseArgs } from 'node:util';
import { WeftError } from '@weft/lib/error';
import { type LogLevel, parseLogLevel } from '@weft/lib/log';

export interface ProxyOptions {
  readonly configPath: string;
  /** Inline configuration in place of a file. */
  readonly configYaml: string;
  readonly logLevel: LogLevel;
  readonly componentLogLevel: string;
  readonly drainTimeMs: number;
  /** How many workers carry traffic. */
  readonly concurrency: number;
  /** Check the configuration and end. */
  readonly onlyValidates: boolean;
}

export const usage = `usage: weft proxy -c FILE [options]

  -c, --config-path FILE          bootstrap in Envoy's v3 format, YAML or JSON
      --config-yaml TEXT          the bootstrap itself, in place of a file
      --mode serve|validate       validate checks the bootstrap and ends (default serve)
  -l, --log-level LEVEL           trace, debug, info, warn, error, off (default info)
      --component-log-level LIST  such as upstream:debug,xds:trace
      --concurrency N             worker threads, each accepting on every port (default 1; Linux)
      --drain-time-s SECONDS      how long a stopping proxy waits for what is under way (default 30)
  -h, --help                      this text

Example: weft proxy -c envoy.yaml -l warn
Exit codes: 0 stopped in an orderly way, 1 the configuration is refused or cannot be carried out, 2 wrong usage.
`;

const flags = {
  'config-path': { type: 'string', short: 'c' },
  'config-yaml': { type: 'string' },
  mode: { type: 'string' },
  'log-level': { type: 'string', short: 'l' },
  'component-log-level': { type: 'string' },
  'drain-time-s': { type: 'string' },
  concurrency: { type: 'string' },
  // Envoy's, without effect here: no shared memory between restarts.
  'base-id': { type: 'string' },
  'disable-hot-restart': { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** Null asks for the usage text; throws WeftError on wrong usage. */
export function parseProxyOptions(argv: readonly string[]): ProxyOptions | null {
  const { values } = parse(argv);
  if (values.help === true) return null;
  const level = parseLogLevel(values['log-level'] ?? 'info');
  if (level === null)
    throw wrong(`--log-level takes trace, debug, info, warn, error or off, not '${values['log-level']}'`);
  const mode = values.mode ?? 'serve';
  if (mode !== 'serve' && mode !== 'validate') throw wrong(`--mode takes serve or validate, not '${mode}'`);
  const seconds = Number(values['drain-time-s'] ?? '30');
  if (!(seconds >= 0)) throw wrong(`--drain-time-s takes a number of seconds, not '${values['drain-time-s']}'`);
  const configPath = values['config-path'] ?? '';
  const configYaml = values['config-yaml'] ?? '';
  if (configPath === '' && configYaml === '') throw wrong('a bootstrap is needed: -c FILE');
  return {
    configPath,
    configYaml,
    logLevel: level,
    componentLogLevel: values['component-log-level'] ?? '',
    drainTimeMs: seconds * 1000,
    concurrency: readConcurrency(values.concurrency ?? '1'),
    onlyValidates: mode === 'validate',
  };
}

const maxConcurrency = 256;

function readConcurrency(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > maxConcurrency)
    throw wrong(`--concurrency takes a number of workers from 1 to ${maxConcurrency}, not '${text}'`);
  // Elsewhere the kernel does not spread connections over sockets that share a port.
  if (count > 1 && process.platform !== 'linux')
    throw wrong(`--concurrency ${count} needs Linux; leave the flag out, or start one proxy per port`);
  return count;
}

function parse(argv: readonly string[]): ReturnType<typeof parseArgs<{ options: typeof flags }>> {
  try {
    return parseArgs({ args: [...argv], options: flags, allowPositionals: false });
  } catch (error) {
    throw wrong(error instanceof Error ? error.message : String(error));
  }
}

function wrong(message: string): WeftError {
  return new WeftError('usage', message);
}
