// weft get KIND [NAME]: resources of the running mesh.
import type { KindInfo } from '@weft/api/resource/kind';
import { WeftError } from '@weft/lib/error';
import type { ApiObject } from '@weft/local/mesh-api/client';
import { Command, Option } from 'commander';
import { exitCode, usageError } from '../exit-code.ts';
import type { Invocation } from '../invocation.ts';
import { toJson } from '../print/format.ts';
import type { CommandMaker } from '../program.ts';

interface Options {
  readonly namespace?: string;
  readonly allNamespaces?: true;
  readonly output: 'table' | 'wide' | 'yaml' | 'json' | 'name';
}

export const getCommand: CommandMaker = (invocation, perform) =>
  new Command('get')
    .description('show resources of the running mesh')
    .argument('<kind>', 'kind, plural or short name; several with commas; all; or KIND/NAME')
    .argument('[name]', 'one resource only')
    .option('-n, --namespace <namespace>', 'only this namespace; without it all for a list, default for a name')
    .option('-A, --all-namespaces', 'every namespace, as a list shows without -n anyway')
    .addOption(
      new Option('-o, --output <format>', 'how to show them')
        .choices(['table', 'wide', 'yaml', 'json', 'name'])
        .default('table'),
    )
    .addHelpText(
      'after',
      `
Examples:
  $ weft get virtualservices
  $ weft get vs reviews -o yaml
  $ weft get vs/reviews -o yaml
  $ weft get all -n default -o name`,
    )
    .action((kindArgument: string, nameArgument: string | undefined, options: Options) =>
      perform(async () => {
        const { parseKinds } = await import('../resource/kind-argument.ts');
        const [kindText, name] = splitSlash(kindArgument, nameArgument);
        if (options.allNamespaces && (name !== undefined || options.namespace !== undefined))
          throw usageError('--all-namespaces goes with neither a name nor --namespace');
        const found = await fetchObjects(invocation, parseKinds(kindText), name, options.namespace);
        await show(invocation, found, name !== undefined, options.output);
        return exitCode.ok;
      }),
    );

/** `vs/reviews`, as apply, delete and -o name write it, says the same as `vs reviews`. */
function splitSlash(kind: string, name: string | undefined): readonly [kind: string, name: string | undefined] {
  const slash = kind.indexOf('/');
  if (slash < 0) return [kind, name];
  if (name !== undefined || slash === kind.length - 1)
    throw usageError('Write one KIND/NAME, such as vs/reviews, and no further name.');
  return [kind.slice(0, slash), kind.slice(slash + 1)];
}

type Found = readonly { readonly kind: KindInfo; readonly objects: readonly ApiObject[] }[];

async function fetchObjects(
  invocation: Invocation,
  kinds: readonly KindInfo[],
  name: string | undefined,
  namespace: string | undefined,
): Promise<Found> {
  const { api } = invocation;
  const found = await Promise.all(
    kinds.map(async (kind) => {
      if (name === undefined) return { kind, objects: (await api.list(kind, namespace ?? null)).items };
      const object = await api.get(kind, namespace ?? 'default', name);
      return { kind, objects: object === null ? [] : [object] };
    }),
  );
  // Of several kinds it is enough that one has the name.
  if (name !== undefined && found.every(({ objects }) => objects.length === 0))
    throw notFound(kinds, name, namespace ?? 'default');
  return found;
}

function notFound(kinds: readonly KindInfo[], name: string, namespace: string): WeftError {
  const where = kinds.some((kind) => kind.namespaced) ? ` in namespace ${namespace}` : '';
  const singulars = kinds.map((kind) => kind.singular);
  const what = singulars.length > 3 ? 'resource' : singulars.join(' or ');
  const plurals = kinds.length > 3 ? 'all' : kinds.map((kind) => kind.plural).join(',');
  return new WeftError('WEFT0816', `there is no ${what} ${name}${where}; weft get ${plurals} lists what there is`);
}

async function show(invocation: Invocation, found: Found, isOne: boolean, format: Options['output']): Promise<void> {
  const objects = found.flatMap((each) => each.objects);
  if (format === 'table' || format === 'wide') {
    const full = found.filter((each) => each.objects.length > 0);
    if (full.length === 0) invocation.note('nothing found');
    const { resourceTable } = await import('../print/resource-table.ts');
    const tables = full.map((each) => resourceTable(each.kind, each.objects, Date.now(), format === 'wide'));
    if (tables.length > 0) invocation.print(tables.join('\n\n'));
    return;
  }
  if (format === 'name') {
    const names = found.flatMap((each) =>
      each.objects.map((object) => `${each.kind.singular}/${object.metadata.name}`),
    );
    if (names.length > 0) invocation.print(names.join('\n'));
    return;
  }
  const [only] = objects;
  const value =
    isOne && objects.length === 1 && only !== undefined ? only : { apiVersion: 'v1', kind: 'List', items: objects };
  const { toYaml } = await import('../print/yaml.ts');
  invocation.print(format === 'json' ? toJson(value) : toYaml(value));
}
