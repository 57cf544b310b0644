// `weft up DIR`: starts a mesh, shows it, and stops it on Ctrl-C, SIGTERM, or when the program that started it is gone.
import { IssueWatch } from './mesh/issue-watch.ts';
import { Mesh, type MeshOptions } from './mesh/mesh.ts';
import { nextSteps } from './screen/next-steps.ts';
import { type Output, openScreen } from './screen/screen.ts';

const readyTimeoutMs = 60_000;
const parentPollMs = 1000;

/** Runs a mesh until it is told to stop; resolves to the exit code. What keeps it from starting is thrown when all has stopped. */
export async function runUp(options: MeshOptions, output: Output): Promise<number> {
  const startedMs = performance.now();
  const screen = openScreen(output, process.env);
  const end = stopRequest();
  const mesh = await Mesh.open(options, { onRows: (rows) => screen.rows(rows), onNote: (text) => screen.note(text) });
  const issues = new IssueWatch(mesh.client, (text) => screen.note(text));
  try {
    const up = bringUp({ mesh, issues, note: (text) => screen.note(text), isStopping: end.isRequested, startedMs });
    // Told to stop while it starts: what fails then does so because of the stop.
    up.catch(() => {});
    await Promise.race([up, end.requested]);
    await end.requested;
    screen.note('stopping …');
  } finally {
    issues.stop();
    await mesh.stop();
    screen.close();
    end.dispose();
  }
  return 0;
}

interface Arrival {
  readonly mesh: Mesh;
  readonly issues: IssueWatch;
  readonly note: (text: string) => void;
  readonly isStopping: () => boolean;
  readonly startedMs: number;
}

async function bringUp({ mesh, issues, note, isStopping, startedMs }: Arrival): Promise<void> {
  await mesh.start();
  issues.start();
  const ready = await mesh.whenReady(readyTimeoutMs);
  if (isStopping()) return;
  // Ready replicas are of use once the others know of them.
  if (ready) await mesh.client.request('/weft/v1/wait?timeout=10s').catch(() => {});
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  if (!ready) {
    note(
      `not everything is ready after ${seconds} s; the table and the logs in ${mesh.paths.logs} say what is missing`,
    );
    return;
  }
  const sources = { gateways: mesh.resources('Gateway'), virtualServices: mesh.resources('VirtualService') };
  note([`The mesh is up (${seconds} s). API: ${mesh.apiUrl}`, ...nextSteps(mesh.ingressUrl, sources)].join('\n'));
}

/** Resolves at the first SIGINT, SIGTERM or SIGHUP; a second SIGINT is left to wait for the same clean end. */
function stopRequest(): { requested: Promise<void>; isRequested: () => boolean; dispose(): void } {
  let isRequested = false;
  let stop = (): void => {};
  const requested = new Promise<void>((resolve) => {
    stop = () => {
      isRequested = true;
      resolve();
    };
  });
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const onSignal = (): void => stop();
  for (const signal of signals) process.on(signal, onSignal);
  const poll = watchStarter(stop);
  const dispose = (): void => {
    for (const signal of signals) process.off(signal, onSignal);
    clearInterval(poll);
  };
  return { requested, isRequested: () => isRequested, dispose };
}

/** npm does not pass every signal on; when it or its shell dies, we are given to another parent. Only then is that a reason to stop. */
function watchStarter(stop: () => void): NodeJS.Timeout | undefined {
  if (process.env.npm_lifecycle_event === undefined) return undefined;
  const starter = process.ppid;
  return setInterval(() => {
    if (process.ppid !== starter) stop();
  }, parentPollMs).unref();
}
