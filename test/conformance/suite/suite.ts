// One conformance suite: how it is called, why it may be left out, and whether the proxy passed it.

export interface Suite {
  readonly name: string;
  /** What `npm run conformance` says of it. */
  readonly text: string;
  /** Fetches what the suite needs; why it cannot run here, or null when it can. */
  prepare(): string | null;
  /** Prints its score; true when everything passed. `sections` are for suites that have such. */
  run(sections: readonly string[]): Promise<boolean>;
}
