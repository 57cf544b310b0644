// weft diff: how files differ from the running mesh; without files, where the mesh API overlays the mesh's own files.

import { hasErrors } from '@weft/lib/issue';
import type { ApiObject } from '@weft/local/mesh-api/client';
import { Command } from 'commander';
import { exitCode } from '../exit-code.ts';
import type { Invocation } from '../invocation.ts';
import { printIssues } from '../print/issues.ts';
import { diffLines } from '../print/text-diff.ts';
import type { CommandMaker } from '../program.ts';

interface Options {
  readonly filename?: string[];
  readonly namespace: string;
}

/** A resource on either side. */
interface Pair {
  readonly title: string;
  readonly before: ApiObject | null;
  readonly after: ApiObject | null;
}

export const diffCommand: CommandMaker = (invocation, perform) =>
  new Command('diff')
    .description("what weft apply -f would change; without -f, where the mesh API overlays the mesh's own files")
    .option('-f, --filename <path...>', 'YAML files or folders; - is standard input')
    .option('-n, --namespace <namespace>', 'for resources that name none', 'default')
    .addHelpText(
      'after',
      `
The exit status is 1 when there are differences.

Examples:
  $ weft diff -f examples/bookinfo/networking/virtual-service-reviews-v3.yaml
  $ weft diff`,
    )
    .action((options: Options) =>
      perform(async () => {
        const pairs = options.filename === undefined ? await overlays(invocation) : await changes(invocation, options);
        if (pairs === null) return exitCode.failed;
        const { toYaml } = await import('../print/yaml.ts');
        const texts = pairs.map((pair) => describePair(pair, toYaml)).filter((text) => text !== '');
        if (texts.length === 0) return exitCode.ok;
        invocation.print(texts.join('\n\n'));
        return exitCode.failed;
      }),
    );

async function changes(invocation: Invocation, options: Options): Promise<Pair[] | null> {
  const { loadResources } = await import('../resource/load.ts');
  const { resources, issues } = loadResources(
    options.filename ?? [],
    invocation.outside.workingFolder,
    options.namespace,
  );
  printIssues(invocation, issues);
  if (hasErrors(issues)) return null;
  return Promise.all(
    resources.map(async ({ info, namespace, name, object }) => ({
      title: `${info.singular}/${name}`,
      before: await invocation.api.get(info, namespace || null, name),
      after: object as unknown as ApiObject,
    })),
  );
}

/** From what the file says to what is in effect. */
async function overlays(invocation: Invocation): Promise<Pair[]> {
  const answer = (await invocation.api.request('/weft/v1/overlays')) as {
    overlays: { file: ApiObject | null; effective: ApiObject | null }[];
  };
  return answer.overlays.map(({ file, effective }) => {
    const object = effective ?? file;
    return { title: `${object?.kind.toLowerCase()}/${object?.metadata.name}`, before: file, after: effective };
  });
}

function describePair({ title, before, after }: Pair, toYaml: (value: unknown) => string): string {
  const lines = diffLines(before === null ? '' : toYaml(wish(before)), after === null ? '' : toYaml(wish(after)));
  if (lines.length === 0) return '';
  const note = before === null ? ' (new)' : after === null ? ' (removed)' : '';
  return [`${title}${note}`, ...lines].join('\n');
}

/** What a person wrote: without the server's own fields and the status. */
function wish(object: ApiObject): unknown {
  const { status: _status, metadata, ...rest } = object;
  const { name, namespace, labels, annotations } = metadata;
  const { apiVersion, kind, ...fields } = rest;
  return JSON.parse(
    JSON.stringify({ apiVersion, kind, metadata: { name, namespace, labels, annotations }, ...fields }),
  );
}
