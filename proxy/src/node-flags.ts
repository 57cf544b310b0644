// How Node is to be started for a proxy. The launcher `weft` names the same flags.

/**
 * A small young generation: requests leave nothing behind that would need a larger one, and the process stays some 15 MB smaller
 * (`docs/performance.md`).
 */
export const proxyNodeFlags: readonly string[] = ['--max-semi-space-size=2'];
