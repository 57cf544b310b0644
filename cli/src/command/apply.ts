// weft apply -f FILE…: writes resources to the running mesh, all or none.

import { WeftError } from '@weft/lib/error';
import { formatIssue, hasErrors } from '@weft/lib/issue';
import { Command } from 'commander';
import { parseWait } from '../duration.ts';
import { exitCode } from '../exit-code.ts';
import type { Invocation } from '../invocation.ts';
import { countIssues, printIssues } from '../print/issues.ts';
import type { CommandMaker } from '../program.ts';

interface Options {
  readonly filename: string[];
  readonly namespace: string;
  readonly wait?: true | number;
  readonly dryRun?: true;
}

const defaultWaitMs = 30_000;

export const applyCommand: CommandMaker = (invocation, perform) =>
  new Command('apply')
    .description('write resources to the running mesh: all of them, or none when one has an error')
    .requiredOption('-f, --filename <path...>', 'YAML files or folders; - is standard input')
    .option('-n, --namespace <namespace>', 'for resources that name none', 'default')
    .option(
      '--wait [duration]',
      'until every proxy concerned carries the change out (30s unless given, at most 10m)',
      parseWait,
    )
    .option('--dry-run', 'check only')
    .addHelpText(
      'after',
      `
Examples:
  $ weft apply -f examples/bookinfo/networking/destination-rule-all.yaml
  $ weft apply -f rules/ --wait=10s
  $ weft apply -f rules.yaml --dry-run`,
    )
    .action((options: Options) => perform(() => apply(invocation, options)));

async function apply(invocation: Invocation, options: Options): Promise<number> {
  const { loadResources } = await import('../resource/load.ts');
  const { submitResources } = await import('../resource/submit.ts');
  const { api } = invocation;
  const { workingFolder } = invocation.outside;
  const { resources, issues } = loadResources(options.filename, workingFolder, options.namespace);
  printIssues(invocation, issues);
  if (hasErrors(issues)) return refuse(invocation, countIssues(issues));
  if (resources.length === 0) throw new WeftError('WEFT0821', `there is no resource in ${options.filename.join(', ')}`);
  const result = await submitResources({ client: api, workingFolder }, resources, options.dryRun === true);
  if ('issues' in result) {
    printIssues(invocation, result.issues);
    return refuse(invocation, countIssues(result.issues));
  }
  // The mesh API finds again what the files alone showed.
  const told = new Set(issues.map((issue) => withoutPlace(formatIssue(issue))));
  const suffix = options.dryRun ? ' (dry run)' : '';
  for (const { resource, outcome, warnings } of result) {
    for (const warning of warnings.map(withLevel)) if (!told.has(withoutPlace(warning))) invocation.note(warning);
    invocation.print(`${resource.info.singular}/${resource.name} ${outcome}${suffix}`);
  }
  if (options.wait === undefined || options.dryRun) return exitCode.ok;
  const revision = Math.max(0, ...result.map((each) => each.revision ?? 0));
  return waitFor(invocation, revision, options.wait === true ? defaultWaitMs : options.wait);
}

/** In a header for warnings the word itself is left out. */
function withLevel(warning: string): string {
  return warning.replace(/^((?:[^ ]+:\d+: )?)(WEFT\d{4}\b)/, '$1warning $2');
}

/** The mesh API names files by their whole path, the command line as they were given. */
function withoutPlace(finding: string): string {
  return finding.slice(Math.max(0, finding.search(/\b(?:error|warning|info) WEFT\d{4}\b/)));
}

function refuse(invocation: Invocation, count: string): number {
  invocation.note(`weft: nothing was changed (${count})`);
  return exitCode.failed;
}

async function waitFor(invocation: Invocation, revision: number, timeoutMs: number): Promise<number> {
  const { waitForRevision } = await import('../resource/wait.ts');
  const late = await waitForRevision(invocation.api, revision, timeoutMs);
  if (late.length === 0) {
    invocation.print('every proxy concerned carries it out');
    return exitCode.ok;
  }
  for (const proxy of late) invocation.note(`weft: ${proxy}`);
  invocation.note(`weft: not carried out everywhere within ${timeoutMs / 1000} s`);
  return exitCode.timeout;
}
