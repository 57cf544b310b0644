import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '../../../test/kit/folder.ts';
import { until } from '../../../test/kit/until.ts';
import { MeshApiClient } from '../mesh-api/client.ts';
import { FakeMeshApi } from '../mesh-api/fake-mesh-api.ts';
import { PortPicker } from '../port/free-port.ts';
import { ProcessSet } from './process-set.ts';

const program = fileURLToPath(new URL('./testdata/app.mjs', import.meta.url));
const web = {
  apiVersion: 'weft.dev/v1alpha1',
  kind: 'Process',
  metadata: { name: 'web', namespace: 'default', labels: { app: 'web' } },
  spec: {
    command: [process.execPath, program],
    ports: [{ name: 'http', port: 80 }],
    proxy: { enabled: false },
  },
};

test('closes although a replica that is to go cannot be taken out of the mesh', async (context) => {
  const folder = temporaryFolder(context);
  const api = new FakeMeshApi();
  const client = new MeshApiClient(await api.listen(), () => api.token);
  context.after(async () => {
    client.close();
    await api.close();
  });
  const set = new ProcessSet({
    settings: {
      client,
      controlPlane: { xdsPort: 1, trustDomain: 'cluster.local', rootFile: '' },
      proxyEntry: '',
      workloadsFolder: folder,
      logsFolder: folder,
    },
    picker: new PortPicker(),
    configFolder: folder,
    tcpPorts: () => [],
    events: { onState: () => {}, onNote: () => {} },
    onMembers: () => {},
  });
  context.after(() => Promise.all(set.replicas.map((replica) => replica.stopApp())));
  set.update(new Map([['default/web', web]]));
  await until('it runs', () => set.replicas.length === 1 && set.isReady);
  const removal = 'DELETE /apis/networking.istio.io/v1/namespaces/default/workloadentries/web';
  api.replies.set(removal, () => ({ status: 503, body: { message: 'not now' } }));
  set.update(new Map());
  await until('it was asked for', () => api.requests.includes(removal));
  const isClosed = set.close().then(() => true);
  assert.ok(await Promise.race([isClosed, sleep(5000, false, { ref: false })]));
});
