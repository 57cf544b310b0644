// weft explain DECISION_ID: why the mesh answered a request by itself.

import { messageOf, WeftError } from '@weft/lib/error';
import type { RunningWorkload } from '@weft/local/state/run-file';
import { Command, Option } from 'commander';
import { askAdmin } from '../admin-client.ts';
import { exitCode } from '../exit-code.ts';
import type { Invocation } from '../invocation.ts';
import { toJson } from '../print/format.ts';
import type { CommandMaker } from '../program.ts';

export const explainCommand: CommandMaker = (invocation, perform) =>
  new Command('explain')
    .description('tell why the mesh answered a request by itself: the fault, its place in the YAML, what to do')
    .argument('<decision-id>', 'from the header x-weft-decision of the reply, or from the access log')
    .addOption(new Option('-o, --output <format>', 'how to show it').choices(['text', 'json']).default('text'))
    .addHelpText(
      'after',
      '\nEach proxy keeps its last 1,000 decisions.\n\nExamples:\n  $ weft explain 3f9a1c02-1k\n  $ weft explain 3f9a1c02-1k -o json',
    )
    .action((id: string, options: { output: 'text' | 'json' }) =>
      perform(async () => {
        const { workload, decision } = await findDecision(invocation, id);
        if (options.output === 'json') invocation.print(toJson({ proxy: workload.name, ...decision }));
        else
          invocation.print(
            `${String(decision.explanation).trimEnd()}\nproxy: ${workload.name} in namespace ${workload.namespace}`,
          );
        return exitCode.ok;
      }),
    );

interface Found {
  readonly workload: RunningWorkload;
  readonly decision: Record<string, unknown>;
}

async function findDecision(invocation: Invocation, id: string): Promise<Found> {
  const proxies = invocation.mesh.workloads.filter((workload) => workload.admin !== '');
  const silent: string[] = [];
  const answers = await Promise.all(
    proxies.map(async (workload): Promise<Found | null> => {
      try {
        const { status, text } = await askAdmin(workload, `/decisions/${encodeURIComponent(id)}`);
        return status === 200 ? { workload, decision: JSON.parse(text) } : null;
      } catch (error) {
        silent.push(`${workload.name} (${messageOf(error)})`);
        return null;
      }
    }),
  );
  const found = answers.find((answer) => answer !== null);
  if (found) return found;
  const unasked = silent.length === 0 ? '' : `; these could not be asked: ${silent.join(', ')}`;
  throw new WeftError(
    'WEFT0818',
    `no proxy of this mesh knows decision ${id}: it is misspelt, or older than the last 1,000 of its proxy${unasked}`,
  );
}
