// Entry of the control plane: turns on Node's compile cache before anything else loads.
import { enableCompileCache } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';

try {
  enableCompileCache(join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'weft', 'compile'));
} catch {
  // A user without a home, as in containers: it only starts slower.
}
await import('./src/main.ts');
