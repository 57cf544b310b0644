// Where a cluster's endpoints come from. A discovery tells its cluster of every new assignment, and once that the first is there.

import type { AssignmentSpec } from './endpoint-spec.ts';

/** What a discovery tells. */
export interface DiscoveryEvents {
  onAssignment(assignment: AssignmentSpec): void;
  /** The first answer came, or none will in good time. Called once. */
  onWarm(): void;
}

export interface Discovery {
  start(): void;
  stop(): void;
}
