// weft run … -- CMD: joins one process to the running mesh.
import type { ProcessPort } from '@weft/api/resource/process';
import { Command, InvalidArgumentError, Option } from 'commander';
import { parsePort } from '../duration.ts';
import type { CommandMaker } from '../program.ts';

interface Options {
  readonly service: string;
  readonly version: string;
  readonly port: number;
  readonly targetPort?: number;
  readonly namespace: string;
  readonly protocol?: string;
  readonly serviceAccount: string;
}

const protocols: readonly NonNullable<ProcessPort['protocol']>[] = ['http', 'http2', 'grpc', 'grpc-web', 'tcp'];

export const runCommand: CommandMaker = (invocation, perform) =>
  new Command('run')
    .description('join one process to the running mesh, with a sidecar of its own, until it ends')
    .requiredOption('--service <name>', 'service that the process belongs to; made when the mesh has none of that name')
    .requiredOption('--port <port>', 'port of the service', parsePort)
    .option('--version <version>', 'label version of the process', parseLabel, 'v1')
    .option(
      '--target-port <port>',
      'port that the process listens on; without it, a free one is told in $PORT',
      parsePort,
    )
    .option('-n, --namespace <namespace>', 'namespace of the service', 'default')
    .addOption(new Option('--protocol <protocol>', 'for a service that does not say').choices(protocols))
    .option('--service-account <name>', 'identity of the process', parseAccount, 'default')
    .argument('<command...>', 'program and arguments, after --')
    .addHelpText(
      'after',
      `
The exit status is that of the process.

Examples:
  $ weft run --service reviews --version v4 --port 9080 -- node reviews.mjs
  $ weft run --service web --port 80 --target-port 3000 -- python3 -m http.server 3000`,
    )
    .action((command: string[], options: Options) =>
      perform(async () => {
        const { runJoined } = await import('@weft/local/join/join');
        const { targetPort = null, protocol = null, ...rest } = options;
        return runJoined({ ...rest, targetPort, protocol, command }, invocation.paths, (text) => invocation.note(text));
      }),
    );

function parseLabel(text: string): string {
  if (text.length <= 63 && /^[A-Za-z0-9](?:[-_.A-Za-z0-9]*[A-Za-z0-9])?$/.test(text)) return text;
  throw new InvalidArgumentError(
    'Give at most 63 letters, digits, -, _ and ., beginning and ending with a letter or digit.',
  );
}

function parseAccount(text: string): string {
  if (text.length <= 63 && /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/.test(text)) return text;
  throw new InvalidArgumentError(
    'Give at most 63 lower-case letters, digits and -, beginning and ending with a letter or digit.',
  );
}
