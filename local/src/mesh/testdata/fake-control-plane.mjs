// Stands in for the control plane: the fake mesh API on --api-port, filled from objects.json in --config.
import { readFileSync, writeFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { FakeMeshApi } from '../../mesh-api/fake-mesh-api.ts';

const flag = (name) => process.argv[process.argv.indexOf(name) + 1];
if (readFileSync(flag('--token-file'), 'utf8') === 'this-token-is-bad') {
  console.error('weft control-plane: WEFT0624: the token is bad');
  process.exit(78);
}
const api = new FakeMeshApi(readFileSync(flag('--token-file'), 'utf8').trim());
for (const object of JSON.parse(readFileSync(join(flag('--config'), 'objects.json'), 'utf8'))) api.put(object);
mkdirSync(join(flag('--state'), 'ca'), { recursive: true });
writeFileSync(join(flag('--state'), 'pid'), String(process.pid));
await api.listen(Number(flag('--api-port')));
console.log('the fake control plane listens');
process.on('SIGTERM', () => process.exit(0));
