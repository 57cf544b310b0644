// weft analyze [FILE…]: every finding about files alone, or about the running mesh.

import { hasErrors, type Issue } from '@weft/lib/issue';
import { Command, Option } from 'commander';
import { exitCode } from '../exit-code.ts';
import type { Invocation } from '../invocation.ts';
import { toJson } from '../print/format.ts';
import { countIssues, printIssues } from '../print/issues.ts';
import type { CommandMaker } from '../program.ts';

interface Options {
  readonly namespace: string;
  readonly output: 'text' | 'json';
}

export const analyzeCommand: CommandMaker = (invocation, perform) =>
  new Command('analyze')
    .description('find mistakes: in files and folders without a running mesh, or in what the running mesh is made of')
    .argument('[file...]', 'YAML files or folders; - is standard input; without any, the running mesh')
    .option('-n, --namespace <namespace>', 'for resources that name none', 'default')
    .addOption(new Option('-o, --output <format>', 'how to show them').choices(['text', 'json']).default('text'))
    .addHelpText(
      'after',
      `
The exit status is 1 when there are errors; warnings alone are no failure.

Examples:
  $ weft analyze examples/bookinfo examples/bookinfo/networking/destination-rule-all.yaml
  $ weft analyze -o json
  $ weft get all -o yaml | weft analyze -`,
    )
    .action((files: string[], options: Options) =>
      perform(async () => {
        const issues =
          files.length > 0 ? await analyzeFiles(files, options.namespace, invocation) : await analyzeMesh(invocation);
        if (options.output === 'json') invocation.print(toJson(issues));
        else {
          printIssues(invocation, issues);
          invocation.print(countIssues(issues));
        }
        return hasErrors(issues) ? exitCode.failed : exitCode.ok;
      }),
    );

async function analyzeFiles(
  files: readonly string[],
  namespace: string,
  invocation: Invocation,
): Promise<readonly Issue[]> {
  const { analyzeResources } = await import('../resource/analyze.ts');
  const { loadResources } = await import('../resource/load.ts');
  const { resources, issues } = loadResources(files, invocation.outside.workingFolder, namespace);
  return [...issues, ...analyzeResources(resources)];
}

async function analyzeMesh(invocation: Invocation): Promise<readonly Issue[]> {
  const answer = await invocation.api.request('/weft/v1/issues');
  return (answer as { issues: readonly Issue[] }).issues;
}
