// weft delete: removes resources from the running mesh, by name or by the files that hold them.
import type { KindInfo } from '@weft/api/resource/kind';
import { Command } from 'commander';
import { exitCode, usageError } from '../exit-code.ts';
import type { Invocation } from '../invocation.ts';
import { printIssues } from '../print/issues.ts';
import type { CommandMaker } from '../program.ts';

interface Options {
  readonly filename?: string[];
  readonly namespace: string;
  readonly ignoreNotFound?: true;
}

interface Target {
  readonly kind: KindInfo;
  readonly namespace: string | null;
  readonly name: string;
}

export const deleteCommand: CommandMaker = (invocation, perform) =>
  new Command('delete')
    .description(
      'remove resources from the running mesh; where a file of the mesh says the same resource, that comes back into effect',
    )
    .argument('[kind]', 'kind, plural or short name, or kind/name')
    .argument('[name...]', 'the resources')
    .option('-f, --filename <path...>', 'the resources that these files or folders hold')
    .option('-n, --namespace <namespace>', 'namespace of the resources', 'default')
    .option('--ignore-not-found', 'no failure when there is nothing to remove')
    .addHelpText(
      'after',
      `
Examples:
  $ weft delete virtualservice reviews
  $ weft delete vs/reviews dr/reviews
  $ weft delete -f examples/bookinfo/networking/virtual-service-all-v1.yaml`,
    )
    .action((kind: string | undefined, names: string[], options: Options) =>
      perform(async () => {
        const targets =
          options.filename === undefined
            ? await namedTargets(kind, names, options.namespace)
            : await fileTargets(invocation, options);
        let missing = 0;
        for (const target of targets) if (!(await remove(invocation, target))) missing++;
        return missing > 0 && !options.ignoreNotFound ? exitCode.failed : exitCode.ok;
      }),
    );

async function namedTargets(
  kindText: string | undefined,
  names: readonly string[],
  namespace: string,
): Promise<Target[]> {
  const { parseKind } = await import('../resource/kind-argument.ts');
  if (kindText === undefined) throw usageError('Name what to remove, such as: weft delete virtualservice reviews');
  if (kindText.includes('/')) return [kindText, ...names].map((text) => slashTarget(parseKind, text, namespace));
  if (names.length === 0) throw usageError(`Name the ${kindText} to remove.`);
  const kind = parseKind(kindText);
  return names.map((name) => ({ kind, namespace: kind.namespaced ? namespace : null, name }));
}

function slashTarget(parseKind: (text: string) => KindInfo, text: string, namespace: string): Target {
  const slash = text.indexOf('/');
  if (slash < 0) throw usageError(`'${text}' names no kind; write kind/name for each.`);
  const kind = parseKind(text.slice(0, slash));
  return { kind, namespace: kind.namespaced ? namespace : null, name: text.slice(slash + 1) };
}

async function fileTargets(invocation: Invocation, options: Options): Promise<Target[]> {
  const { loadResources } = await import('../resource/load.ts');
  const { resources, issues } = loadResources(
    options.filename ?? [],
    invocation.outside.workingFolder,
    options.namespace,
  );
  // A resource that has become wrong since can still be removed: only what cannot be read at all is left.
  printIssues(
    invocation,
    issues.filter((issue) => issue.level === 'error'),
  );
  return resources.map(({ info, namespace, name }) => ({ kind: info, namespace: namespace || null, name })).reverse();
}

async function remove(invocation: Invocation, { kind, namespace, name }: Target): Promise<boolean> {
  const removed = await invocation.api.delete(kind, namespace, name);
  const where = namespace === null ? '' : ` in namespace ${namespace}`;
  if (removed) invocation.print(`${kind.singular}/${name} deleted`);
  else invocation.note(`weft: there is no ${kind.singular} ${name}${where}`);
  return removed;
}
