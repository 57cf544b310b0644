// A worker thread of the proxy: makes the parts that carry traffic, as the main thread tells it.

import { parentPort, workerData } from 'node:worker_threads';
import { assert } from '@weft/lib/assert';
import { systemClock } from '@weft/lib/clock';
import { endStart, startFrom } from '@weft/lib/disk/config-file';
import { applyBootstrap, boundStaticListeners, RunningProxy, refuseErrors } from './proxy.ts';
import type { WorkerStart } from './worker/messages.ts';
import { WorkerThread } from './worker/worker-thread.ts';

const { start, workers } = workerData as { start: WorkerStart; workers: number };
assert(parentPort !== null, 'this file is run by a worker thread');
startFrom(start.files);
const thread = new WorkerThread({
  port: parentPort,
  start,
  workers,
  clock: systemClock,
  makeProxy: (options) => new RunningProxy(options),
});
thread.proxy.containDefects();
if (start.drained !== null) thread.proxy.listeners.drain(start.drained);
if (start.stopped !== null) thread.proxy.listeners.stopAccepting(start.stopped);
refuseErrors(applyBootstrap(thread.proxy));
thread.catchUp(start);
endStart();
if (start.stopped === null) await boundStaticListeners(thread.proxy);
thread.started();
