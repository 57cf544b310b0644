// Waiting for something to happen, with a limit and a name, so that a test that waits in vain says for what.

import { type EventEmitter, once } from 'node:events';

const limitMs = 5000;
const lookMs = 5;

/** Resolves when the condition holds; looks again and again, for states that announce nothing. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  waitMs: number = limitMs,
): Promise<void> {
  const giveUpMs = performance.now() + waitMs;
  while (!(await condition())) {
    if (performance.now() > giveUpMs) throw new Error(`waited ${waitMs} ms in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
}

/** Resolves with the arguments of the event. */
export async function waitFor(emitter: EventEmitter, event: string, waitMs: number = limitMs): Promise<unknown[]> {
  return once(emitter, event, { signal: AbortSignal.timeout(waitMs) });
}

/** The promise's value, or an error that names what did not come. */
export async function within<T>(what: string, promise: Promise<T>, waitMs: number = limitMs): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${waitMs} ms in vain for ${what}`)), waitMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
