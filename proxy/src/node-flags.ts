// How Node is to be started for a proxy. The launcher `weft` names the same flags.

/**
 * A small young generation: requests leave nothing behind that would need a larger one, and the process stays some 15 MB smaller.
 * No pretenuring: when hundreds of requests are under way their objects outlive a collection or two, which V8 would take for a long
 * life and allocate the next ones where only a full collection finds them again (both in `docs/performance.md`).
 */
export const proxyNodeFlags: readonly string[] = ['--max-semi-space-size=2', '--no-allocation-site-pretenuring'];
