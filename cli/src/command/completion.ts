// weft completion SHELL: prints a completion script made from the commands and options themselves.
import { Argument, Command } from 'commander';
import { exitCode } from '../exit-code.ts';
import type { Invocation } from '../invocation.ts';
import type { Action } from '../program.ts';

/** Takes the program too, as that is what the script is made from. */
export function completionCommand(
  invocation: Invocation,
  perform: (action: Action) => Promise<void>,
  program: Command,
): Command {
  return new Command('completion')
    .description('print a completion script for a shell')
    .addArgument(new Argument('<shell>', 'the shell').choices(['bash', 'zsh', 'fish']))
    .addHelpText(
      'after',
      `
Examples:
  $ source <(weft completion bash)
  $ weft completion zsh > "\${fpath[1]}/_weft"
  $ weft completion fish > ~/.config/fish/completions/weft.fish`,
    )
    .action((shell: 'bash' | 'zsh' | 'fish') =>
      perform(async () => {
        const { completionScript } = await import('../print/completion-script.ts');
        invocation.print(completionScript(shell, program));
        return exitCode.ok;
      }),
    );
}
