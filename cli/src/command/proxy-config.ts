// weft proxy-config WORKLOAD PART: what one proxy has been told.
import { Argument, Command, Option } from 'commander';
import { askAdminJson } from '../admin-client.ts';
import { exitCode } from '../exit-code.ts';
import { type ConfigPart, configParts, resourcesIn, tableOf } from '../print/config-dump.ts';
import { toJson, toTable } from '../print/format.ts';
import type { CommandMaker } from '../program.ts';

interface Options {
  readonly output: 'table' | 'json' | 'yaml';
  readonly name?: string;
}

export const proxyConfigCommand: CommandMaker = (invocation, perform) =>
  new Command('proxy-config')
    .alias('pc')
    .description('show what a proxy has been told, in the words of xDS')
    .argument('<workload>', 'a workload of the mesh, or istio-ingressgateway')
    .addArgument(new Argument('[part]', 'what to show').choices([...configParts, 'all']).default('all'))
    .addOption(
      new Option('-o, --output <format>', 'how to show it').choices(['table', 'json', 'yaml']).default('table'),
    )
    .option('--name <text>', 'only resources whose name contains this')
    .addHelpText(
      'after',
      `
Examples:
  $ weft proxy-config productpage-v1 routes
  $ weft proxy-config istio-ingressgateway listeners -o json
  $ weft proxy-config reviews-v2 endpoints --name ratings`,
    )
    .action((name: string, part: ConfigPart | 'all', options: Options) =>
      perform(async () => {
        const dump = await askAdminJson(invocation.workload(name), '/config_dump?include_eds');
        const parts = part === 'all' ? configParts : [part];
        const found = parts.map((each) => ({
          part: each,
          resources: resourcesIn(dump, each).filter((resource) => hasName(resource, options.name)),
        }));
        if (options.output === 'table') {
          const tables = found.map((each) => {
            const { heading, rows } = tableOf(each.resources, each.part);
            return toTable(heading, rows);
          });
          invocation.print(tables.join('\n\n'));
          return exitCode.ok;
        }
        const value =
          part === 'all' ? Object.fromEntries(found.map((each) => [each.part, each.resources])) : found[0]?.resources;
        const { toYaml } = await import('../print/yaml.ts');
        invocation.print(options.output === 'json' ? toJson(value) : toYaml(value));
        return exitCode.ok;
      }),
    );

function hasName(resource: Readonly<Record<string, unknown>>, part: string | undefined): boolean {
  if (part === undefined) return true;
  const name = resource.name ?? resource.cluster_name;
  return typeof name === 'string' && name.includes(part);
}
