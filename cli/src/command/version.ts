// weft version: of this tree and of the Node it runs on.
import { readFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import { exitCode } from '../exit-code.ts';
import type { CommandMaker } from '../program.ts';

export const versionCommand: CommandMaker = (invocation, perform) =>
  new Command('version')
    .description('the version of weft and of the Node it runs on')
    .addOption(new Option('-o, --output <format>', 'how to show it').choices(['text', 'json']).default('text'))
    .addHelpText('after', '\nExamples:\n  $ weft version\n  $ weft version -o json')
    .action((options: { output: string }) =>
      perform(() => {
        const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));
        const node = process.versions.node;
        invocation.print(
          options.output === 'json' ? JSON.stringify({ weft: version, node }) : `weft ${version} (node ${node})`,
        );
        return exitCode.ok;
      }),
    );
