// One call of a program, with the condition on which it is made. The same steps are run, and printed as a shell script.

export interface Step {
  readonly program: string;
  readonly args: readonly string[];
  readonly input?: string;
  /** Run only if this call succeeds (and, `bySaying`, prints something), or only if it does not. */
  readonly condition?: Condition;
}

export interface Condition {
  readonly runsIf: boolean;
  readonly program: string;
  readonly args: readonly string[];
  readonly bySaying?: boolean;
}

/** The steps as a script for a shell; as when they are run here, the first that fails is the last. */
export function shellScript(steps: readonly Step[], enter: readonly string[] = []): string {
  return ['set -e', ...steps.map((step) => shellText(step, enter))].join('\n');
}

/** Text for a shell, which is a success too where the condition is not met; `enter` is put before each call, to make it in another namespace. */
export function shellText(step: Step, enter: readonly string[] = []): string {
  const { condition, input } = step;
  const call = words([...enter, step.program, ...step.args]);
  const body = input === undefined ? call : `${call} <<'RULES'\n${input}RULES`;
  if (condition === undefined) return body;
  const asked = words([...enter, condition.program, ...condition.args]);
  const test = condition.bySaying === true ? `${asked} 2>/dev/null | grep -q .` : `${asked} >/dev/null 2>&1`;
  return `${condition.runsIf ? '! ' : ''}${test} || ${body}`;
}

function words(list: readonly string[]): string {
  return list.map((word) => (/^[\w./:=@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(' ');
}
