import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { kindInfo } from '@weft/api/resource/kind';
import { SlowBackoff } from '../process/slow-backoff.ts';
import { ApiError, type ApiObject, MeshApiClient, pathOf } from './client.ts';
import { FakeMeshApi } from './fake-mesh-api.ts';
import { linesOf, type Objects, Watch } from './watch.ts';

const kind = kindInfo('Service');
const service = (name: string): ApiObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'default' },
});

async function makeApi(context: TestContext): Promise<{ api: FakeMeshApi; client: MeshApiClient }> {
  const api = new FakeMeshApi();
  const client = new MeshApiClient(await api.listen(), () => 'secret');
  context.after(async () => {
    client.close();
    await api.close();
  });
  return { api, client };
}

/** Collects what a watch tells and lets a test wait for a certain set. */
class Told {
  private keys = '';
  private check: () => void = () => {};

  readonly onChange = (objects: Objects): void => {
    this.keys = [...objects.keys()].sort().join(' ');
    this.check();
  };

  until(keys: string): Promise<void> {
    return new Promise((resolve) => {
      this.check = () => {
        if (this.keys === keys) resolve();
      };
      this.check();
    });
  }
}

describe('a watch', () => {
  it('tells the whole set at first and after every change', async (context) => {
    const { api, client } = await makeApi(context);
    api.put(service('a'));
    const told = new Told();
    const watch = new Watch(client, kind, told.onChange);
    context.after(() => watch.stop());
    await watch.start();
    await told.until('default/a');
    await watching(api);
    api.put(service('b'));
    await told.until('default/a default/b');
    api.remove('Service', 'default', 'a');
    await told.until('default/b');
  });

  it('goes on where it was when the server ends it', async (context) => {
    const { api, client } = await makeApi(context);
    const told = new Told();
    const watch = new Watch(client, kind, told.onChange);
    context.after(() => watch.stop());
    await watch.start();
    await watching(api);
    const lists = api.requests.length;
    api.endWatches();
    await watching(api, 2);
    assert.equal(api.requests.length, lists + 1, 'no list in between');
    api.put(service('late'));
    await told.until('default/late');
  });

  it('lists again when its version is no longer known (410)', async (context) => {
    const { api, client } = await makeApi(context);
    const told = new Told();
    const watch = new Watch(client, kind, told.onChange);
    context.after(() => watch.stop());
    await watch.start();
    await watching(api);
    api.endWatches({ kind: 'Status', code: 410, metadata: {} });
    api.put(service('missed'));
    await told.until('default/missed');
  });

  it('need not wait out a long pause when the API is known to be back', async (context) => {
    const { api, client } = await makeApi(context);
    const told = new Told();
    const backoff = new SlowBackoff();
    const watch = new Watch(client, kind, told.onChange, backoff);
    context.after(() => watch.stop());
    await watch.start();
    await watching(api);
    api.replies.set('GET /api/v1/services', () => ({ status: 503, body: {} }));
    api.endWatches();
    await backoff.asked;
    api.replies.delete('GET /api/v1/services');
    api.put(service('missed'));
    watch.retry();
    await told.until('default/missed');
  });

  it('fails to start when the first list fails', async (context) => {
    const { client } = await makeApi(context);
    const wrong = new MeshApiClient(client.url, () => 'wrong');
    context.after(() => wrong.close());
    await assert.rejects(
      new Watch(wrong, kind, () => {}).start(),
      (error) => error instanceof ApiError && error.status === 401,
    );
  });
});

/** The n-th request so far has opened a watch: the list is the first GET, each watch one more. */
async function watching(api: FakeMeshApi, count = 1): Promise<void> {
  while (api.requests.filter((call) => call === 'GET /api/v1/services').length < count + 1)
    await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setTimeout(resolve, 20));
}

describe('the client of the mesh API', () => {
  it('tells the message of an error status', async (context) => {
    const { client } = await makeApi(context);
    await client.create(kind, service('a'));
    await assert.rejects(client.create(kind, service('a')), { code: 'WEFT0808', message: 'a exists already' });
  });

  it('gives null for what is not there, and false when there was nothing to delete', async (context) => {
    const { client } = await makeApi(context);
    assert.equal(await client.get(kind, 'default', 'none'), null);
    assert.equal(await client.delete(kind, 'default', 'none'), false);
    await client.create(kind, service('a'));
    assert.equal(await client.delete(kind, 'default', 'a'), true);
  });

  it('says what to do when nobody answers', async () => {
    const client = new MeshApiClient('http://127.0.0.1:1', () => 'secret');
    await assert.rejects(client.list(kind), { code: 'WEFT0807', message: /weft up/ });
  });

  it('builds the paths of Kubernetes', () => {
    assert.equal(pathOf(kind, 'default', 'a'), '/api/v1/namespaces/default/services/a');
    assert.equal(pathOf(kindInfo('VirtualService'), null), '/apis/networking.istio.io/v1/virtualservices');
    assert.equal(pathOf(kindInfo('Namespace'), null, 'a'), '/api/v1/namespaces/a');
  });
});

describe('lines of a stream', () => {
  it('come out whole however the bytes are cut', async () => {
    const bytes = Buffer.from('{"a":"ä"}\n\n{"b":1}\n');
    for (let cut = 0; cut <= bytes.length; cut++) {
      const lines: string[] = [];
      const parts = (async function* () {
        yield bytes.subarray(0, cut);
        yield bytes.subarray(cut);
      })();
      for await (const line of linesOf(parts)) lines.push(line);
      assert.deepEqual(lines, ['{"a":"ä"}', '{"b":1}']);
    }
  });
});
