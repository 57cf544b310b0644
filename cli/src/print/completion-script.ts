// Completion scripts for bash, zsh and fish: verbs, options, kinds after `get` and `delete`, workloads from run.json.
import { kinds } from '@weft/api/resource/kind';
import type { Command } from 'commander';

interface Verb {
  readonly name: string;
  /** Its name and its aliases. */
  readonly names: readonly string[];
  readonly description: string;
  readonly options: readonly string[];
}

const parts = 'listeners routes clusters endpoints secrets all';
// Small enough for the shell itself: no JSON reader can be taken for granted there.
const listWorkloads = `\${WEFT_HOME:-.weft}/run.json`;

/** The script for a shell. */
export function completionScript(shell: 'bash' | 'zsh' | 'fish', program: Command): string {
  const verbs: Verb[] = program.commands.map((command) => ({
    name: command.name(),
    names: [command.name(), ...command.aliases()],
    description: command.description(),
    options: command.options.flatMap((option) => [option.long, option.short].filter((name) => name != null)),
  }));
  const kindNames = kinds.map((kind) => kind.singular).join(' ');
  if (shell === 'fish') return fishScript(verbs, kindNames);
  const bash = bashScript(verbs, kindNames);
  return shell === 'bash' ? bash : `#compdef weft\nautoload -U +X bashcompinit && bashcompinit\n${bash}`;
}

function bashScript(verbs: readonly Verb[], kindNames: string): string {
  const cases = verbs.map((verb) => `    ${verb.names.join(' | ')}) options='${verb.options.join(' ')}' ;;`);
  return `_weft_workloads() {
  sed -n 's/^ *"name": "\\([^"]*\\)".*/\\1/p' "${listWorkloads}" 2>/dev/null
}
_weft() {
  local word=\${COMP_WORDS[COMP_CWORD]} verb=\${COMP_WORDS[1]} previous=\${COMP_WORDS[COMP_CWORD-1]} options=
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '${verbs.map((verb) => verb.name).join(' ')}' -- "$word"))
    return
  fi
  case $previous in
    -f | --filename) COMPREPLY=($(compgen -f -- "$word")); return ;;
    -o | --output) COMPREPLY=($(compgen -W 'json yaml wide name' -- "$word")); return ;;
  esac
  case $verb in
${cases.join('\n')}
  esac
  case $verb in
    get | delete) [ "$COMP_CWORD" -eq 2 ] && options="$options ${kindNames}" ;;
    logs) options="$options $(_weft_workloads)" ;;
    proxy-config | pc)
      [ "$COMP_CWORD" -eq 2 ] && options="$options $(_weft_workloads)"
      [ "$COMP_CWORD" -eq 3 ] && options="$options ${parts}" ;;
    up | analyze) options="$options $(compgen -f -- "$word")" ;;
  esac
  COMPREPLY=($(compgen -W "$options" -- "$word"))
}
complete -F _weft weft ./weft`;
}

function fishScript(verbs: readonly Verb[], kindNames: string): string {
  const quote = (text: string): string => `'${text.replace(/['\\]/g, '\\$&')}'`;
  const lines = [
    'complete -c weft -f',
    ...verbs.map((verb) => `complete -c weft -n __fish_use_subcommand -a ${verb.name} -d ${quote(verb.description)}`),
    `complete -c weft -n '__fish_seen_subcommand_from get delete' -a '${kindNames}'`,
    `complete -c weft -n '__fish_seen_subcommand_from proxy-config pc' -a '${parts}'`,
    `complete -c weft -n '__fish_seen_subcommand_from up analyze apply' -F`,
  ];
  for (const verb of verbs) {
    for (const option of verb.options.filter((name) => name.startsWith('--'))) {
      lines.push(`complete -c weft -n '__fish_seen_subcommand_from ${verb.names.join(' ')}' -l ${option.slice(2)}`);
    }
  }
  return lines.join('\n');
}
