// The proxy process: reads flags and bootstrap, starts the parts, ends in an orderly way.

import { systemClock } from '@weft/lib/clock';
import { messageOf, WeftError } from '@weft/lib/error';
import { formatIssue, hasErrors, type Issue } from '@weft/lib/issue';
import { LineWriter } from '@weft/lib/line-writer';
import { applyComponentLevels, Log, LogControl } from '@weft/lib/log';
import type { LoadedBootstrap } from './bootstrap/load-bootstrap.ts';
import { readFlawlessJson } from './bootstrap/plain-json.ts';
import { type ProxyOptions, parseProxyOptions, usage } from './options.ts';
import { type RunningProxy, startProxy } from './proxy.ts';

/** Stands in for the file in findings. */
const inlineName = '--config-yaml';
const EXIT_REFUSED = 1;
const EXIT_USAGE = 2;

function readOptions(): ProxyOptions | null {
  try {
    return parseProxyOptions(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`weft proxy: ${messageOf(error)}\n\n${usage}`);
    process.exitCode = EXIT_USAGE;
    return null;
  }
}

function printIssues(issues: readonly Issue[]): void {
  for (const issue of issues) process.stderr.write(`${formatIssue(issue)}\n`);
}

/** As long as nothing runs that they mean: by default they would end the process. */
function ignoreSignals(): void {
  for (const name of ['SIGUSR1', 'SIGHUP'] as const) process.on(name, () => {});
}

/**
 * SIGTERM and SIGINT let what runs finish; the second one ends at once. SIGUSR1 opens log files anew. SIGHUP, by which other servers
 * read their configuration again, changes nothing, as with Envoy.
 */
function handleSignals(proxy: RunningProxy, options: ProxyOptions): void {
  let isStopping = false;
  const onStop = (): void => {
    if (isStopping) void endProcess(proxy);
    else void proxy.stop(options.drainTimeMs).then(() => endProcess(proxy));
    isStopping = true;
  };
  process.on('SIGTERM', onStop);
  process.on('SIGINT', onStop);
  process.on('SIGUSR1', () => proxy.reopenLogs());
  const advice = 'SIGHUP has no effect: change what the control plane sends, or start anew with another bootstrap';
  process.on('SIGHUP', () => proxy.log.warn(advice));
  proxy.whenQuit(onStop);
}

// `process.exit` waits for every thread, and so for ever for one that is stuck in a system call.
async function endProcess({ workers }: RunningProxy): Promise<void> {
  if (workers === null || (await workers.terminate())) process.exit(0);
  process.stderr.write('weft proxy: a worker is stuck in the operating system, the process is killed\n');
  process.kill(process.pid, 'SIGKILL');
}

function makeLog(options: ProxyOptions): { log: Log; writer: LineWriter } {
  const control = new LogControl(options.logLevel);
  applyComponentLevels(control, options.componentLogLevel);
  const writer = new LineWriter({ target: { fd: 2 }, clock: systemClock, limitBytes: 4 * 1024 * 1024, batchMs: 50 });
  return { log: new Log({ writer, clock: systemClock, control }, 'main'), writer };
}

async function readBootstrap({ configPath, configYaml }: ProxyOptions): Promise<LoadedBootstrap> {
  const flawless = configYaml === '' ? readFlawlessJson(configPath) : null;
  if (flawless !== null) return { bootstrap: flawless, issues: [] };
  const { loadBootstrap, parseBootstrap } = await import('./bootstrap/load-bootstrap.ts');
  return configYaml === '' ? loadBootstrap(configPath) : parseBootstrap(configYaml, inlineName);
}

async function locate({ configPath, configYaml }: ProxyOptions, issues: readonly Issue[]): Promise<readonly Issue[]> {
  const { locateIssues } = await import('./bootstrap/load-bootstrap.ts');
  return locateIssues({ path: configYaml === '' ? configPath : inlineName, text: configYaml }, issues);
}

async function main(): Promise<void> {
  ignoreSignals();
  const options = readOptions();
  if (options === null) {
    if (process.exitCode === undefined) process.stdout.write(usage);
    return;
  }
  const { configPath } = options;
  const { bootstrap, issues } = await readBootstrap(options);
  printIssues(issues);
  if (bootstrap === null || hasErrors(issues)) {
    process.exitCode = EXIT_REFUSED;
    return;
  }
  const { log, writer } = makeLog(options);
  try {
    const proxy = await startProxy({
      bootstrap,
      configPath,
      log,
      clock: systemClock,
      onlyValidates: options.onlyValidates,
      concurrency: options.concurrency,
      drainTimeMs: options.drainTimeMs,
      locate: (issues) => locate(options, issues),
    });
    if (options.onlyValidates) {
      process.stdout.write(`configuration '${configPath || inlineName}' OK\n`);
      return;
    }
    proxy.containDefects();
    handleSignals(proxy, options);
  } catch (error) {
    if (!(error instanceof WeftError)) throw error;
    // Findings are told as those of the file are, one a line.
    process.stderr.write(error.code === 'config' ? `${error.message}\n` : `weft proxy: ${error.message}\n`);
    await writer.close();
    process.exit(EXIT_REFUSED);
  }
}

await main();
