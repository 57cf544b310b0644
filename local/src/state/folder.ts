// Where a local mesh keeps its state: $WEFT_HOME, else the nearest `.weft` folder upwards, else a new one here.
import { existsSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { makeFolder } from '@weft/lib/disk/make-folder';
import { codeOf, messageOf, WeftError } from '@weft/lib/error';

/** The paths below one state folder. */
export interface StatePaths {
  readonly root: string;
  readonly lock: string;
  readonly runFile: string;
  /** How proxies that join later reach the control plane. */
  readonly address: string;
  readonly token: string;
  readonly controlPlane: string;
  readonly workloads: string;
  readonly joined: string;
  readonly logs: string;
  /** Logs of sidecars that `weft run` started. */
  readonly joinedLogs: string;
}

/** The state folder to use, which need not exist yet. */
export function findStateFolder(env: NodeJS.ProcessEnv, workingFolder: string): string {
  if (env.WEFT_HOME) return resolve(workingFolder, env.WEFT_HOME);
  for (let folder = resolve(workingFolder); ; folder = dirname(folder)) {
    const candidate = join(folder, '.weft');
    if (existsSync(candidate) && statSync(candidate).isDirectory()) return candidate;
    if (folder === dirname(folder)) return join(resolve(workingFolder), '.weft');
  }
}

/** Names what lies where in a state folder, without touching the disk. */
export function statePaths(root: string): StatePaths {
  return {
    root,
    lock: join(root, 'lock'),
    runFile: join(root, 'run.json'),
    address: join(root, 'control-plane.json'),
    token: join(root, 'token'),
    controlPlane: join(root, 'control-plane'),
    workloads: join(root, 'workloads'),
    joined: join(root, 'joined'),
    logs: join(root, 'logs'),
    joinedLogs: join(root, 'logs', 'joined'),
  };
}

/** Makes the folders, readable by the owner only: they hold tokens and join tokens. */
export function makeStateFolders(paths: StatePaths): void {
  try {
    for (const folder of [paths.root, paths.controlPlane, paths.workloads, paths.joined, paths.logs]) {
      makeFolder(folder, 0o700);
    }
  } catch (error) {
    throw stateFolderError(paths, 'made', error);
  }
}

/** What stands in the way of a state folder, for a person; errors that speak for themselves stay as they are. */
export function stateFolderError(paths: StatePaths, what: 'made' | 'written', error: unknown): unknown {
  if (error instanceof WeftError || codeOf(error) === '') return error;
  return new WeftError(
    'WEFT0805',
    `the state folder ${paths.root} cannot be ${what} (${messageOf(error)}); give it room and make it writable, or set WEFT_HOME to another`,
    { cause: error },
  );
}
