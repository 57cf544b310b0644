// Envoy with a number of worker threads.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram } from '../program.ts';
import { envoyBootstrap } from './envoy-bootstrap.ts';
import type { Peer } from './peer.ts';

export function envoyWith(workers: number): Peer {
  return {
    name: 'envoy',
    environment: {},
    missing: () => (findProgram('envoy') === null ? 'no `envoy` on PATH and no ENVOY_BIN' : null),
    prepare(task) {
      const file = join(task.folder, 'envoy.json');
      writeFileSync(file, envoyBootstrap(task));
      const program = findProgram('envoy') ?? 'envoy';
      const count = ['--concurrency', String(workers)];
      return [program, '-c', file, ...count, '--use-dynamic-base-id', '--log-level', 'error'];
    },
  };
}

export const envoy: Peer = envoyWith(1);
