// The discovery service in a process of its own, so that it can stand in a network namespace: `ADDRESS FILE` serves the resources of
// that file, and prints its port.

import { readFileSync } from 'node:fs';
import { AdsUnderTest } from '../feature/ads-under-test.ts';

const [address = '127.0.0.1', file = ''] = process.argv.slice(2);
const mesh = new AdsUnderTest();
await mesh.start(address);
mesh.apply(readFileSync(file, 'utf8'));
process.stdout.write(`${mesh.address.slice(mesh.address.lastIndexOf(':') + 1)}\n`);
