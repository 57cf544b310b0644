// Weft's proxy, given Envoy's very bootstrap.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { envoyBootstrap } from './envoy-bootstrap.ts';
import type { Peer } from './peer.ts';

const ownLauncher = fileURLToPath(new URL('../../../weft', import.meta.url));

function weftWith(name: string, ...flags: readonly string[]): Peer {
  return {
    name,
    environment: {},
    missing: () => null,
    prepare(task) {
      const file = join(task.folder, 'weft.json');
      writeFileSync(file, envoyBootstrap(task));
      return [process.env.WEFT_BIN ?? ownLauncher, 'proxy', '-c', file, '--log-level', 'error', ...flags];
    },
  };
}

export const weft: Peer = weftWith('weft');
/** On as many cores as one worker: what it costs that there are two. */
export const weftTwoWorkers: Peer = weftWith('weft-2', '--concurrency', '2');
