import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { until } from '../../../test/kit/until.ts';
import { MeshApiClient } from '../mesh-api/client.ts';
import { FakeMeshApi } from '../mesh-api/fake-mesh-api.ts';
import { PortPicker } from '../port/free-port.ts';
import type { Backoff } from '../process/backoff.ts';
import { SlowBackoff } from '../process/slow-backoff.ts';
import { Registration } from './registration.ts';
import { makeWorkload } from './workload.ts';

const definition = {
  apiVersion: 'weft.dev/v1alpha1',
  kind: 'Process',
  metadata: { name: 'a', namespace: 'default', labels: { app: 'a' } },
  spec: { command: ['a'], ports: [{ name: 'http', port: 80 }] },
} as const;

async function makeRegistration(context: TestContext, backoff?: Backoff) {
  const api = new FakeMeshApi();
  const client = new MeshApiClient(await api.listen(), () => api.token);
  const told: string[] = [];
  const events = {
    onCarriedOut: () => told.push(`healthy: ${registration.isHealthy}`),
    onRefused: (why: string) => told.push(why),
  };
  const workload = await makeWorkload(definition as never, 0, new PortPicker());
  const registration: Registration = new Registration(client, workload, events, backoff);
  context.after(async () => {
    registration.close();
    client.close();
    await api.close();
  });
  return { api, told, registration };
}

test('says once why the mesh does not take it in, and that it is in once it is', async (context) => {
  const { api, told, registration } = await makeRegistration(context);
  const create = 'POST /apis/networking.istio.io/v1/namespaces/default/workloadentries';
  api.replies.set(create, () => ({ status: 422, body: { message: 'that is no name' } }));
  registration.setReady(true);
  await until('it was asked again', () => api.requests.filter((call) => call === create).length >= 2);
  assert.deepEqual(told, ['that is no name']);
  api.replies.delete(create);
  await until('it is in', () => registration.isHealthy);
  assert.deepEqual(told, ['that is no name', 'healthy: true']);
});

test('comes back when it is ready again although somebody deleted its entry', async (context) => {
  const { api, told, registration } = await makeRegistration(context);
  registration.setReady(true);
  await until('it is in', () => registration.isHealthy);
  api.remove('WorkloadEntry', 'default', 'a');
  registration.setReady(false);
  registration.setReady(true);
  await until('it was looked at', () => told.length > 1);
  await until('it is healthy', () => registration.isHealthy);
  assert.notEqual(api.get('WorkloadEntry', 'default', 'a'), null);
  assert.deepEqual(
    told.filter((text) => !text.startsWith('healthy')),
    [],
  );
});

test('need not wait out a long pause when the control plane is back, and begins with short ones the next time', async (context) => {
  const backoff = new SlowBackoff();
  const { api, registration } = await makeRegistration(context, backoff);
  const create = 'POST /apis/networking.istio.io/v1/namespaces/default/workloadentries';
  api.replies.set(create, () => ({ status: 503, body: { message: 'not now' } }));
  registration.setReady(true);
  await backoff.asked;
  api.replies.delete(create);
  registration.refresh();
  await until('it is in', () => registration.isHealthy);
  assert.equal(backoff.resets, 1);
});

test('need not wait out a long pause to leave either', async (context) => {
  const backoff = new SlowBackoff();
  const { api, registration } = await makeRegistration(context, backoff);
  registration.setReady(true);
  await until('it is in', () => registration.isHealthy);
  const own = 'DELETE /apis/networking.istio.io/v1/namespaces/default/workloadentries/a';
  api.replies.set(own, () => ({ status: 503, body: { message: 'not now' } }));
  const left = registration.remove();
  await backoff.asked;
  api.replies.delete(own);
  registration.refresh();
  await left;
  assert.equal(api.get('WorkloadEntry', 'default', 'a'), null);
});
