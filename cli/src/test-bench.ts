// For tests of commands: a state folder with the run.json of a fake mesh API, and a way to run command lines against it.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { FakeMeshApi } from '@weft/local/mesh-api/fake-mesh-api';
import { makeStateFolders, statePaths } from '@weft/local/state/folder';
import { acquireLock } from '@weft/local/state/lock';
import { type RunningWorkload, writeRunFile } from '@weft/local/state/run-file';
import { runProgram } from './program.ts';

/** What a command line did. */
export interface Outcome {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

/** A folder to work in, with a mesh that seems to run. */
export class Bench {
  readonly folder: string;
  readonly api: FakeMeshApi;

  private constructor(folder: string, api: FakeMeshApi) {
    this.folder = folder;
    this.api = api;
  }

  static async make(context: TestContext, workloads: readonly RunningWorkload[] = []): Promise<Bench> {
    const folder = mkdtempSync(join(tmpdir(), 'weft-cli-'));
    const api = new FakeMeshApi();
    const url = await api.listen();
    const paths = statePaths(join(folder, '.weft'));
    makeStateFolders(paths);
    const lock = acquireLock(paths.lock);
    writeFileSync(paths.token, 'secret\n');
    writeRunFile(paths.runFile, {
      ingress: 'http://127.0.0.1:1',
      api: url,
      tokenFile: paths.token,
      pid: process.pid,
      workloads,
    });
    context.after(async () => {
      lock.release();
      await api.close();
      rmSync(folder, { recursive: true, force: true });
    });
    return new Bench(folder, api);
  }

  write(name: string, text: string): string {
    writeFileSync(join(this.folder, name), text);
    return name;
  }

  run(...args: string[]): Promise<Outcome> {
    return runIn(this.folder, args);
  }
}

/** Runs a command line in a folder. */
export async function runIn(workingFolder: string, args: readonly string[]): Promise<Outcome> {
  let out = '';
  let err = '';
  const status = await runProgram(args, {
    out: { write: (text) => (out += text) },
    err: { write: (text) => (err += text) },
    env: {},
    workingFolder,
  });
  return { status, out, err };
}
