// weft status: every proxy of the mesh, whether it is connected and has what it should, and how long its certificate lasts.
import { join } from 'node:path';
import { WeftError } from '@weft/lib/error';
import { lastWords } from '@weft/local/process/last-words';
import type { RunningWorkload } from '@weft/local/state/run-file';
import { Command, Option } from 'commander';
import { askAdminJson } from '../admin-client.ts';
import { exitCode } from '../exit-code.ts';
import type { Invocation } from '../invocation.ts';
import { formatAge, toJson, toTable } from '../print/format.ts';
import type { CommandMaker } from '../program.ts';
import { fetchProxies, type ProxyStatus } from '../resource/proxy-status.ts';

const unreachableCode = 'WEFT0807';

/** The name that a proxy's own certificate has on its admin pages. */
const ownCertificate = 'default';

interface CertificatesPage {
  readonly certificates: readonly {
    readonly cert_chain: readonly { readonly path?: string; readonly expiration_time?: string }[];
  }[];
}

interface Row {
  readonly name: string;
  readonly namespace: string;
  readonly isConnected: boolean;
  readonly revision: number;
  readonly wantedRevision: number;
  readonly isInSync: boolean;
  readonly certificateExpiresAt: string | null;
  readonly refusal: string | null;
}

export const statusCommand: CommandMaker = (invocation, perform) =>
  new Command('status')
    .description('each proxy of the mesh: connected, revision, in sync, certificate expiry')
    .addOption(new Option('-o, --output <format>', 'how to show it').choices(['table', 'json']).default('table'))
    .addHelpText(
      'after',
      `
The exit status is 1 while a proxy is away or behind.

Examples:
  $ weft status
  $ weft status -o json`,
    )
    .action((options: { output: 'table' | 'json' }) =>
      perform(async () => {
        const rows = await collectRows(invocation);
        if (options.output === 'json') invocation.print(toJson(rows));
        else show(invocation, rows);
        return rows.every((row) => row.isConnected && row.isInSync) ? exitCode.ok : exitCode.failed;
      }),
    );

/** A proxy that runs but never connected is known by run.json only; one that `weft run` brought may be known by the control plane only. */
async function collectRows(invocation: Invocation): Promise<Row[]> {
  const running = invocation.mesh.workloads.filter((workload) => workload.admin !== '');
  const proxies = await fetchProxies(invocation.api).catch((error: unknown) => throwWithReason(invocation, error));
  const rows = await Promise.all(
    running.map(async (workload) => {
      const { name, namespace } = workload;
      const known = proxies.find((proxy) => proxy.workload === name && proxy.namespace === namespace);
      const row = rowOf(name, namespace, known);
      return { ...row, certificateExpiresAt: (await ownExpiry(workload)) ?? row.certificateExpiresAt };
    }),
  );
  const others = proxies.filter(
    (proxy) =>
      proxy.isConnected && !running.some((each) => each.name === proxy.workload && each.namespace === proxy.namespace),
  );
  return [...rows, ...others.map((proxy) => rowOf(proxy.workload, proxy.namespace, proxy))];
}

/** The control plane knows the certificate that a stream was opened with; the proxy has renewed it since. */
async function ownExpiry(workload: RunningWorkload): Promise<string | null> {
  try {
    const { certificates } = (await askAdminJson(workload, '/certs')) as CertificatesPage;
    const own = certificates.flatMap(({ cert_chain: chain }) => chain).find(({ path }) => path === ownCertificate);
    return own?.expiration_time ?? null;
  } catch {
    return null;
  }
}

/** Where the control plane is down, what it said last is more to the point than that it does not answer. */
function throwWithReason(invocation: Invocation, error: unknown): never {
  const isSilent = error instanceof WeftError && error.code === unreachableCode;
  const why = isSilent ? lastWords(join(invocation.paths.logs, 'control-plane.log'), 'control-plane') : null;
  if (why === null) throw error;
  throw new WeftError(unreachableCode, `the control plane does not run: ${why}`, { cause: error });
}

function rowOf(name: string, namespace: string, proxy: ProxyStatus | undefined): Row {
  return {
    name,
    namespace,
    isConnected: proxy?.isConnected ?? false,
    revision: proxy?.ackedRevision ?? 0,
    wantedRevision: proxy?.wantedRevision ?? 0,
    isInSync: proxy?.isInSync ?? false,
    certificateExpiresAt: proxy?.certificateExpiresAt ?? null,
    refusal: proxy?.lastNack?.message ?? null,
  };
}

function show(invocation: Invocation, rows: readonly Row[]): void {
  const cells = rows.map((row) => [
    row.namespace,
    row.name,
    row.isConnected ? 'yes' : 'no',
    String(row.revision),
    syncText(row),
    expiry(row.certificateExpiresAt),
  ]);
  invocation.print(toTable(['NAMESPACE', 'PROXY', 'CONNECTED', 'REVISION', 'IN SYNC', 'CERTIFICATE ENDS'], cells));
  for (const row of rows)
    if (row.refusal !== null) invocation.note(`weft: ${row.name} refused an update: ${row.refusal}`);
}

function syncText({ isInSync, isConnected, wantedRevision }: Row): string {
  if (isInSync) return 'yes';
  return isConnected ? `no (wants ${wantedRevision})` : 'no';
}

function expiry(time: string | null): string {
  if (time === null) return '-';
  const leftMs = Date.parse(time) - Date.now();
  return leftMs <= 0 ? `expired ${formatAge(-leftMs)} ago` : `in ${formatAge(leftMs)}`;
}
