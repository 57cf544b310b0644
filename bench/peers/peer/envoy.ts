// Envoy with one worker thread.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram } from '../program.ts';
import { envoyBootstrap } from './envoy-bootstrap.ts';
import type { Peer } from './peer.ts';

export const envoy: Peer = {
  name: 'envoy',
  environment: {},
  missing: () => (findProgram('envoy') === null ? 'no `envoy` on PATH and no ENVOY_BIN' : null),
  prepare(task) {
    const file = join(task.folder, 'envoy.json');
    writeFileSync(file, envoyBootstrap(task));
    const program = findProgram('envoy') ?? 'envoy';
    return [program, '-c', file, '--concurrency', '1', '--use-dynamic-base-id', '--log-level', 'error'];
  },
};
