// How Node is to be started for a proxy. The launcher `weft` names the same flags.

/**
 * A small young generation: requests leave nothing behind that would need a larger one, and the process stays some 15 MB smaller.
 * No pretenuring: when hundreds of requests are under way their objects outlive a collection or two, which V8 would take for a long
 * life and allocate the next ones where only a full collection finds them again.
 * No Maglev, V8's middle compiler: what it makes is soon replaced by TurboFan's code, and its work costs 10 to 15 MB of peak memory.
 * Two helper threads of V8 in place of four: each keeps memory of its own (all in `docs/performance.md`).
 * No debugger at SIGUSR1, which a program that rotates logs may send before the proxy listens for it: whoever reaches the port of
 * a debugger runs code in the process.
 */
export const proxyNodeFlags: readonly string[] = [
  '--max-semi-space-size=2',
  '--no-allocation-site-pretenuring',
  '--no-maglev',
  '--v8-pool-size=2',
  '--disable-sigusr1',
];
