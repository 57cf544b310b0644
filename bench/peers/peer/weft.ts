// Weft's proxy, given Envoy's very bootstrap.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { envoyBootstrap } from './envoy-bootstrap.ts';
import type { Peer } from './peer.ts';

const ownLauncher = fileURLToPath(new URL('../../../weft', import.meta.url));

export function weftWith(workers: number): Peer {
  return {
    name: 'weft',
    environment: {},
    missing: () => null,
    prepare(task) {
      const file = join(task.folder, 'weft.json');
      writeFileSync(file, envoyBootstrap(task));
      const command = [process.env.WEFT_BIN ?? ownLauncher, 'proxy', '-c', file, '--log-level', 'error'];
      return [...command, '--concurrency', String(workers)];
    },
  };
}

export const weft: Peer = weftWith(1);
