// Entry of a worker thread of the data plane: turns on Node's compile cache, as the process did, before anything else loads.
import { enableCompileCache } from 'node:module';
import { workerData } from 'node:worker_threads';

if (workerData.compileCache !== undefined) enableCompileCache(workerData.compileCache);
await import('./src/worker.ts');
