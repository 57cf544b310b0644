// What one run of `weft` works with: where it writes, and the running mesh once a verb asks for it.

import { WeftError } from '@weft/lib/error';
import { clientFor, type MeshApiClient } from '@weft/local/mesh-api/client';
import type { Output } from '@weft/local/screen/screen';
import { findStateFolder, type StatePaths, statePaths } from '@weft/local/state/folder';
import { type RunFile, type RunningWorkload, readRunFile } from '@weft/local/state/run-file';

/** The world outside. */
export interface Surroundings {
  readonly out: Output;
  readonly err: Output;
  readonly env: NodeJS.ProcessEnv;
  readonly workingFolder: string;
}

/** One run of the command. */
export class Invocation {
  readonly outside: Surroundings;
  private client: MeshApiClient | null = null;

  constructor(outside: Surroundings) {
    this.outside = outside;
  }

  /** Writes a line to standard output. */
  print(text: string): void {
    this.outside.out.write(`${text}\n`);
  }

  /** Writes a line for the person, beside the output. */
  note(text: string): void {
    this.outside.err.write(`${text}\n`);
  }

  get paths(): StatePaths {
    return statePaths(findStateFolder(this.outside.env, this.outside.workingFolder));
  }

  /** The running mesh; WEFT0801 when there is none. */
  get mesh(): RunFile {
    return readRunFile(this.paths);
  }

  /** The mesh API of the running mesh. */
  get api(): MeshApiClient {
    if (this.client === null) {
      const { api, tokenFile } = this.mesh;
      this.client = clientFor(api, tokenFile);
    }
    return this.client;
  }

  /** A workload by `name` or `namespace/name`. */
  workload(text: string): RunningWorkload {
    const { workloads } = this.mesh;
    const slash = text.indexOf('/');
    const namespace = slash < 0 ? null : text.slice(0, slash);
    const name = text.slice(slash + 1);
    const found = workloads.filter(
      (workload) => workload.name === name && (namespace === null || workload.namespace === namespace),
    );
    const [only, ...others] = found;
    if (only !== undefined && others.length === 0) return only;
    if (only !== undefined) {
      const all = found.map((workload) => `${workload.namespace}/${workload.name}`).join(', ');
      throw new WeftError('WEFT0812', `${text} may be any of ${all}; name one of them in full`);
    }
    const known = workloads.map((workload) => workload.name).join(', ') || 'none';
    throw new WeftError('WEFT0812', `no workload is called ${text}; the mesh runs ${known}`);
  }

  close(): void {
    this.client?.close();
  }
}
