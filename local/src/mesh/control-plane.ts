// The control plane's process: kept running, asked until it answers, always on the same ports.
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { kindInfo } from '@weft/api/resource/kind';
import { isUsableToken } from '@weft/control-plane/api-token';
import { exitStatus } from '@weft/control-plane/exit-status';
import { codeOf } from '@weft/lib/error';
import type { MeshApiClient } from '../mesh-api/client.ts';
import { startOwnChild } from '../process/child.ts';
import { Keeper } from '../process/keeper.ts';
import { lastWords } from '../process/last-words.ts';
import type { StatePaths } from '../state/folder.ts';
import { writePrivate } from '../state/private-file.ts';
import { ownEnvironment } from '../workload/proxy-process.ts';

const pollMs = 30;

/** How the control plane is started. */
export interface ControlPlaneSpec {
  readonly entry: string;
  readonly configFolder: string;
  readonly paths: StatePaths;
  readonly apiPort: number;
  readonly xdsPort: number;
  readonly trustDomain: string;
}

/** What the owner is told. */
export interface ControlPlaneEvents {
  /** It answers (again). */
  onReady(): void;
  onDown(reason: string, retryMs: number): void;
}

/** What it calls itself when it says why it ends. */
const program = 'control-plane';

/** The control plane of a local mesh. */
export class ControlPlane {
  readonly log: string;
  private readonly keeper: Keeper;
  private readonly client: MeshApiClient;
  private readonly events: ControlPlaneEvents;
  private run = 0;
  private hasServed = false;
  ready = false;
  /** Why it cannot run before somebody mends something; null while it runs or may yet. */
  problem: string | null = null;

  constructor(spec: ControlPlaneSpec, client: MeshApiClient, events: ControlPlaneEvents) {
    this.log = join(spec.paths.logs, 'control-plane.log');
    this.client = client;
    this.events = events;
    this.keeper = new Keeper(
      async () =>
        startOwnChild({
          command: [spec.entry, ...controlPlaneArguments(spec)],
          env: ownEnvironment(),
          workingFolder: spec.paths.controlPlane,
          output: this.log,
        }),
      {
        onStarted: () => void this.awaitReady(++this.run),
        onDown: (reason, retryMs, code) => {
          this.run++;
          this.ready = false;
          const why = lastWords(this.log, program);
          this.problem = code === exitStatus.unusable ? (why ?? reason) : null;
          // Whoever waits for the first start is told by `problem`.
          if (this.problem !== null && !this.hasServed) return;
          events.onDown(why === null ? reason : `${reason} (${why})`, retryMs);
        },
      },
    );
  }

  get state(): 'starting' | 'ready' | 'restarting' {
    if (this.ready) return 'ready';
    return this.keeper.restarts === 0 ? 'starting' : 'restarting';
  }

  get restarts(): number {
    return this.keeper.restarts;
  }

  start(): void {
    this.keeper.start();
  }

  async stop(graceMs: number): Promise<void> {
    this.run++;
    await this.keeper.stop(graceMs);
  }

  private async awaitReady(run: number): Promise<void> {
    while (run === this.run) {
      try {
        await this.client.list(kindInfo('Process'));
        if (run !== this.run) return;
        this.ready = true;
        this.hasServed = true;
        this.problem = null;
        this.events.onReady();
        return;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, pollMs));
      }
    }
  }
}

function controlPlaneArguments(spec: ControlPlaneSpec): string[] {
  return [
    '--config',
    spec.configFolder,
    '--state',
    spec.paths.controlPlane,
    '--api-port',
    String(spec.apiPort),
    '--xds-port',
    String(spec.xdsPort),
    '--token-file',
    spec.paths.token,
    '--trust-domain',
    spec.trustDomain,
  ];
}

/**
 * The token of the mesh API, made once per state folder, readable by the owner only. One that no control plane takes, as a full disk
 * or a crash may leave behind, is made anew; `onReplaced` is told where somebody may have written it.
 */
export function makeToken(path: string, onReplaced: (text: string) => void): void {
  const found = readIfThere(path).trim();
  if (isUsableToken(found)) return;
  writePrivate(path, `${randomBytes(32).toString('base64url')}\n`);
  if (!/^\0*$/.test(found)) {
    onReplaced(
      `the token in ${path} was made anew: what stood there is not at least 16 printable characters without spaces`,
    );
  }
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return '';
    throw error;
  }
}
