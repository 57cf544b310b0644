// The seam of a measured proxy: how it is configured and started for a task.

import type { Task } from '../bench-case.ts';

/** A kind of proxy. */
export interface Peer {
  readonly name: string;
  /** Why it cannot take part at all, such as a program that was not found; null when it can. */
  missing(): string | null;
  /** Writes its configuration into `task.folder` and returns the command, which stays in the foreground. */
  prepare(task: Task): readonly string[];
  readonly environment: NodeJS.ProcessEnv;
}
