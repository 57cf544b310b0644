// weft up DIR: runs a whole mesh on this machine.
import { Command } from 'commander';
import { parsePort } from '../duration.ts';
import type { CommandMaker } from '../program.ts';

interface Options {
  readonly ingressPort: number;
  readonly apiPort: number;
}

export const upCommand: CommandMaker = ({ outside }, perform) =>
  new Command('up')
    .description(
      'run a mesh on this machine: control plane, ingress gateway, and every Process in DIR with its sidecar',
    )
    .argument('<dir>', 'folder with the YAML of the mesh')
    .option('--ingress-port <port>', 'where the ingress gateway listens; 0 takes any free port', parsePort, 8080)
    .option('--api-port <port>', 'where the mesh API listens; 0 takes any free port', parsePort, 7070)
    .addHelpText(
      'after',
      `
Ends on Ctrl-C. The ports and the workloads of the running mesh are told in run.json in the state folder.

Examples:
  $ weft up examples/bookinfo
  $ weft up my-mesh --ingress-port 0 --api-port 0`,
    )
    .action((dir: string, options: Options) =>
      perform(async () => {
        const { runUp } = await import('@weft/local/up');
        const { env, workingFolder, out } = outside;
        return runUp({ configFolder: dir, ...options, env, workingFolder }, out);
      }),
    );
