// Writes to a store as fast as it can and says each write that was acknowledged, until it is killed: the victim of the crash test.
import { systemClock } from '@weft/lib/clock';
import { ResourceStore } from './resource-store.ts';
import { openSqlitePersistence } from './sqlite-persistence.ts';

const [file, round] = process.argv.slice(2);
const store = new ResourceStore({ persistence: openSqlitePersistence(file), clock: systemClock });
process.stdout.write('ready\n');
for (let i = 0; ; i++) {
  const name = `s${round}-${i % 7}`;
  const spec = { ports: [{ port: 1 + (i % 60000) }], externalName: `v${round}-${i}` };
  await store.put({
    kind: 'Service',
    positions: null,
    object: { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 'default' }, spec },
  });
  const line = `${name} v${round}-${i} ${store.revision}\n`;
  // Waits for the pipe, so that what was said is never more than what was kept, and the reader is never far behind.
  if (!process.stdout.write(line)) await new Promise((done) => process.stdout.once('drain', done));
  if (i % 5 === 4) {
    await store.delete('Service', 'default', name);
    process.stdout.write(`${name} - ${store.revision}\n`);
  }
}
