// The mesh API over real HTTP: Kubernetes' conventions, verb by verb.

import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, describe, it } from 'node:test';
import { startTestApi, type TestApi } from './test-api.ts';

const virtualServices = '/apis/networking.istio.io/v1/namespaces/default/virtualservices';
const services = '/api/v1/namespaces/default/services';

function virtualService(name: string, extra: object = {}): object {
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'VirtualService',
    metadata: { name, ...extra },
    spec: { hosts: [name], http: [{ route: [{ destination: { host: name } }] }] },
  };
}

function service(name: string, labels: object = {}): object {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, labels },
    spec: { ports: [{ name: 'http', port: 80 }] },
  };
}

/** Runs a test against an API of its own. */
async function withApi(run: (api: TestApi) => Promise<void>): Promise<void> {
  const api = await startTestApi();
  try {
    await run(api);
  } finally {
    await api.close();
  }
}

describe('Mesh API: resources', () => {
  it('creates, gets, replaces and deletes', () =>
    withApi(async ({ call }) => {
      const created = await call(virtualServices, { method: 'POST', body: virtualService('a') });
      assert.equal(created.status, 201);
      assert.equal(created.json.metadata.namespace, 'default');
      const got = await call(`${virtualServices}/a`);
      assert.deepEqual(got.json, created.json);
      const changed = { ...created.json, spec: { ...created.json.spec, hosts: ['b'] } };
      const replaced = await call(`${virtualServices}/a`, { method: 'PUT', body: changed });
      assert.equal(replaced.status, 200);
      assert.equal(replaced.json.metadata.generation, 2);
      const deleted = await call(`${virtualServices}/a`, { method: 'DELETE' });
      assert.equal(deleted.json.status, 'Success');
      const gone = await call(`${virtualServices}/a`);
      assert.deepEqual([gone.status, gone.json.reason], [404, 'NotFound']);
    }));

  it('says Conflict to a stale version and AlreadyExists to a second creation', () =>
    withApi(async ({ call }) => {
      const first = await call(services, { method: 'POST', body: service('a') });
      await call(`${services}/a`, { method: 'PUT', body: service('a', { x: 'y' }) });
      const stale = await call(`${services}/a`, { method: 'PUT', body: first.json });
      assert.deepEqual([stale.status, stale.json.reason], [409, 'Conflict']);
      const again = await call(services, { method: 'POST', body: service('a') });
      assert.deepEqual([again.status, again.json.reason], [409, 'AlreadyExists']);
    }));

  it('refuses with every finding at once as causes, and keeps nothing', () =>
    withApi(async ({ call, store }) => {
      const body = virtualService('a') as { spec: { http: object[] } };
      const broken = {
        ...body,
        spec: { hosts: ['a'], http: [{ ...body.spec.http[0], timeot: '1s', timeout: '1x' }], htpp: [] },
      };
      const reply = await call(virtualServices, { method: 'POST', body: broken });
      assert.deepEqual([reply.status, reply.json.reason], [422, 'Invalid']);
      assert.deepEqual(reply.json.details.causes.map((cause: { field: string }) => cause.field).sort(), [
        'spec.htpp',
        'spec.http[0].timeot',
        'spec.http[0].timeout',
      ]);
      assert.deepEqual(reply.json.issues.map((issue: { code: string }) => issue.code).sort(), [
        'WEFT0407',
        'WEFT0407',
        'WEFT0410',
      ]);
      assert.equal(store.revision, 0);
    }));

  it('warns of what does not fit together', () =>
    withApi(async ({ call }) => {
      const reply = await call(virtualServices, { method: 'POST', body: virtualService('nowhere') });
      assert.equal(reply.status, 201);
      assert.match(reply.headers.get('warning') ?? '', /299 weft "WEFT0481 VirtualService\/default\/nowhere/);
    }));

  it('keeps the head of a reply small however much it warns of', () =>
    withApi(async ({ call }) => {
      const http = Array.from({ length: 200 }, (_, i) => ({
        match: [{ uri: { exact: `/${i}` } }],
        route: [{ destination: { host: `gone-${i}` } }],
      }));
      const body = { ...virtualService('a'), spec: { hosts: ['a'], http } };
      const reply = await call(virtualServices, { method: 'POST', body });
      assert.equal(reply.status, 201);
      const warning = reply.headers.get('warning') ?? '';
      assert.ok(warning.length < 8000);
      assert.match(warning, /\d+ more findings; weft analyze lists all/);
    }));

  it('answers a dry run as if and keeps nothing', () =>
    withApi(async ({ call, store }) => {
      const reply = await call(`${virtualServices}?dryRun=All`, { method: 'POST', body: virtualService('a') });
      assert.equal(reply.status, 201);
      assert.match(reply.headers.get('warning') ?? '', /WEFT0481/);
      assert.equal(store.get('VirtualService', 'default', 'a'), null);
    }));

  it('serves and takes older versions, and keeps one', () =>
    withApi(async ({ call, store }) => {
      const old = { ...virtualService('a'), apiVersion: 'networking.istio.io/v1alpha3' };
      const created = await call(virtualServices.replace('/v1/', '/v1alpha3/'), { method: 'POST', body: old });
      assert.equal(created.json.apiVersion, 'networking.istio.io/v1alpha3');
      assert.equal(store.get('VirtualService', 'default', 'a')?.object.apiVersion, 'networking.istio.io/v1');
      const beta = await call('/apis/networking.istio.io/v1beta1/virtualservices');
      assert.deepEqual(
        [beta.json.apiVersion, beta.json.items[0].apiVersion],
        ['networking.istio.io/v1beta1', 'networking.istio.io/v1beta1'],
      );
    }));

  it('lists by labels, fields and pages', () =>
    withApi(async ({ call }) => {
      for (const name of ['a', 'b', 'c', 'd'])
        await call(services, { method: 'POST', body: service(name, { team: name < 'c' ? 'x' : 'y', [name]: 'on' }) });
      const names = async (query: string) =>
        (await call(`${services}?${query}`)).json.items.map(
          (item: { metadata: { name: string } }) => item.metadata.name,
        );
      assert.deepEqual(await names('labelSelector=team%3Dx'), ['a', 'b']);
      assert.deepEqual(await names('labelSelector=team+in+(y,z),!d'), ['c']);
      assert.deepEqual(await names('labelSelector=team!%3Dx,c'), ['c']);
      assert.deepEqual(await names('fieldSelector=metadata.name%3Dd'), ['d']);
      const first = await call(`${services}?limit=3`);
      assert.equal(first.json.metadata.remainingItemCount, 1);
      assert.deepEqual(await names(`limit=3&continue=${first.json.metadata.continue}`), ['d']);
      assert.equal((await call(`${services}?continue=nonsense`)).status, 410);
      assert.equal((await call(`${services}?labelSelector=((`)).status, 400);
      assert.equal((await call(`${services}?fieldSelector=spec.x%3D1`)).status, 400);
    }));

  it('patches by merge, by operations and by Kubernetes keys', () =>
    withApi(async ({ call }) => {
      await call(services, { method: 'POST', body: service('a', { x: '1', y: '2' }) });
      const patch = (type: string, body: unknown) =>
        call(`${services}/a`, { method: 'PATCH', type: `application/${type}`, body });
      const merged = await patch('merge-patch+json', { metadata: { labels: { x: null, z: '3' } } });
      assert.deepEqual(merged.json.metadata.labels, { y: '2', z: '3' });
      const operated = await patch('json-patch+json', [
        { op: 'test', path: '/spec/ports/0/port', value: 80 },
        { op: 'replace', path: '/spec/ports/0/port', value: 81 },
      ]);
      assert.equal(operated.json.spec.ports[0].port, 81);
      const failed = await patch('json-patch+json', [{ op: 'test', path: '/spec/ports/0/port', value: 80 }]);
      assert.equal(failed.status, 422);
      const strategic = await patch('strategic-merge-patch+json', { spec: { ports: [{ name: 'more', port: 90 }] } });
      assert.deepEqual(
        strategic.json.spec.ports.map((port: { port: number }) => port.port),
        [81, 90],
      );
      const removed = await patch('strategic-merge-patch+json', { spec: { ports: [{ port: 81, $patch: 'delete' }] } });
      assert.deepEqual(
        removed.json.spec.ports.map((port: { port: number }) => port.port),
        [90],
      );
      assert.equal((await patch('x-patch', {})).status, 415);
      assert.equal(
        (await call(`${services}/b`, { method: 'PATCH', type: 'application/merge-patch+json', body: {} })).status,
        404,
      );
    }));

  it('applies from the server side: makes it, then merges', () =>
    withApi(async ({ call }) => {
      const text = 'apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 80}]}\n';
      const apply = (body: string) =>
        call(`${services}/a?fieldManager=x`, { method: 'PATCH', type: 'application/apply-patch+yaml', body });
      assert.equal((await apply(text)).status, 201);
      const second = await apply(text.replace('80', '81'));
      assert.deepEqual([second.status, second.json.spec.ports[0].port], [200, 81]);
    }));

  it('keeps status and the rest apart', () =>
    withApi(async ({ call }) => {
      await call(services, { method: 'POST', body: service('a') });
      const status = { conditions: [{ type: 'Ready', status: 'True' }] };
      const written = await call(`${services}/a/status`, {
        method: 'PATCH',
        type: 'application/merge-patch+json',
        body: { status, spec: { ports: [] } },
      });
      assert.deepEqual(written.json.status.conditions[0], status.conditions[0]);
      assert.equal(written.json.spec.ports.length, 1);
      const replaced = await call(`${services}/a`, {
        method: 'PUT',
        body: { ...service('a', { l: 'v' }), status: { conditions: [] } },
      });
      assert.deepEqual(replaced.json.status.conditions[0], status.conditions[0]);
      assert.equal(replaced.json.metadata.generation, 1);
    }));

  it('keeps the lines of YAML that says where it comes from', () =>
    withApi(async ({ call, store }) => {
      const text =
        'apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata:\n  name: a\nspec:\n  hosts: [a]\n  http:\n  - route:\n    - destination:\n        host: gone\n';
      const headers = { 'x-weft-source': `${encodeURIComponent('my mesh.yaml')}:11` };
      const reply = await call(`${virtualServices}/a`, {
        method: 'PUT',
        type: 'application/yaml',
        body: text,
        headers,
      });
      assert.equal(reply.status, 201);
      assert.match(
        reply.headers.get('warning') ?? '',
        /my mesh\.yaml:20: WEFT0481 [^"]* spec\.http\[0\]\.route\[0\]\.destination\.host/,
      );
      assert.deepEqual(store.get('VirtualService', 'default', 'a')?.origin, {
        kind: 'VirtualService',
        namespace: 'default',
        name: 'a',
        generation: 1,
        file: 'my mesh.yaml',
        line: 11,
      });
      const labelled = await call(`${virtualServices}/a`, {
        method: 'PATCH',
        type: 'application/merge-patch+json',
        body: { metadata: { labels: { x: 'y' } } },
      });
      assert.equal(labelled.status, 200);
      assert.equal(store.get('VirtualService', 'default', 'a')?.positions?.line, 11, 'a label moves no lines');
      const broken = await call(`${virtualServices}/a`, {
        method: 'PUT',
        type: 'application/yaml',
        body: text.replace('host:', 'hots:'),
        headers,
      });
      assert.equal(broken.json.issues.find((issue: { code: string }) => issue.code === 'WEFT0407').origin.line, 20);
    }));

  it('does not delete what a file declares, and shows the file again below a write', () =>
    withApi(async ({ call, store }) => {
      const { parseResource } = await import('../resource/parse-resource.ts');
      const positions = { file: 'mesh.yaml', line: 4, fields: {} };
      const { resource } = parseResource(service('a'), { positions, defaultNamespace: 'default' });
      assert.ok(resource !== null);
      store.replaceFiles([resource]);
      const refused = await call(`${services}/a`, { method: 'DELETE' });
      assert.equal(refused.status, 409);
      assert.match(refused.json.message, /mesh\.yaml:4/);
      await call(`${services}/a`, { method: 'PUT', body: service('a', { over: 'it' }) });
      const deleted = await call(`${services}/a`, { method: 'DELETE' });
      assert.match(deleted.headers.get('warning') ?? '', /in effect again/);
      assert.deepEqual((await call(`${services}/a`)).json.metadata.labels, {});
    }));

  it('warns of a write over a file and says how to end it, and not of a status', () =>
    withApi(async ({ call, store }) => {
      const { parseResource } = await import('../resource/parse-resource.ts');
      const positions = { file: 'mesh.yaml', line: 4, fields: {} };
      const { resource } = parseResource(service('a'), { positions, defaultNamespace: 'default' });
      assert.ok(resource !== null);
      store.replaceFiles([resource]);
      const patch = (path: string, body: unknown) =>
        call(`${services}/a${path}`, { method: 'PATCH', type: 'application/merge-patch+json', body });
      assert.equal((await patch('/status', { status: { loadBalancer: {} } })).json.status.loadBalancer.x, undefined);
      assert.equal(store.get('Service', 'default', 'a')?.layer, 'file');
      const same = await call(`${services}/a`, { method: 'PUT', body: service('a') });
      assert.doesNotMatch(same.headers.get('warning') ?? '', /WEFT0504/);
      assert.deepEqual(same.json.status.loadBalancer, {});
      for (const query of ['?dryRun=All', '']) {
        const over = await patch(query, { metadata: { labels: { over: 'it' } } });
        assert.match(
          over.headers.get('warning') ?? '',
          /mesh\.yaml:4: WEFT0504 Service\/default\/a: .*: weft delete service a -n default/,
        );
      }
      assert.equal(store.get('Service', 'default', 'a')?.layer, 'api');
    }));

  it('shows tables to kubectl', () =>
    withApi(async ({ call, clock }) => {
      await call(virtualServices, { method: 'POST', body: virtualService('a') });
      clock.advance(200_000);
      const table = await call(virtualServices, {
        headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' },
      });
      assert.deepEqual(
        table.json.columnDefinitions.map((column: { name: string }) => column.name),
        ['Name', 'Gateways', 'Hosts', 'Age'],
      );
      assert.deepEqual(table.json.rows[0].cells, ['a', '', '["a"]', '3m']);
    }));
});

describe('Mesh API: requests that are not let in', () => {
  let api: TestApi;
  before(async () => {
    api = await startTestApi();
  });
  after(() => api.close());

  const raw = (headers: http.OutgoingHttpHeaders, path = services) =>
    new Promise<number>((resolve, reject) => {
      http
        .get({ port: api.port, host: '127.0.0.1', path, headers }, (response) =>
          resolve(response.resume().statusCode ?? 0),
        )
        .on('error', reject);
    });

  it('needs the token for reads too', async () => {
    assert.equal(await raw({}), 401);
    assert.equal(await raw({ authorization: 'Bearer wrong' }), 401);
    assert.equal(await raw({ authorization: 'Basic secret' }), 401);
    assert.equal(await raw({ authorization: 'Bearer secret' }), 200);
    assert.equal(await raw({}, '/version'), 401);
    assert.equal(await raw({}, '/readyz'), 200);
  });

  it('takes only host names that are its own, so that a name that is bent to this machine reaches nothing', async () => {
    const authorization = 'Bearer secret';
    assert.equal(await raw({ authorization, host: 'evil.example:80' }), 403);
    assert.equal(await raw({ authorization, host: 'localhost' }), 200);
    assert.equal(await raw({ authorization, host: `[::1]:${api.port}` }), 200);
    assert.equal(await raw({ host: 'evil.example' }, '/readyz'), 403);
  });

  it('takes no calls of foreign web pages', async () => {
    const authorization = 'Bearer secret';
    assert.equal(await raw({ authorization, origin: 'http://evil.example' }), 403);
    assert.equal(await raw({ authorization, origin: 'null' }), 403);
    assert.equal(await raw({ authorization, origin: `http://127.0.0.1:${api.port}` }), 200);
  });

  it('refuses bodies that are too large, no JSON, or of an unknown type', async () => {
    const large = await api.call(services, { method: 'POST', body: `"${'x'.repeat(4 * 1024 * 1024)}"` });
    assert.equal(large.status, 413);
    assert.equal((await api.call(services, { method: 'POST', body: '{"a":' })).status, 400);
    const latin = await fetch(`http://127.0.0.1:${api.port}${services}`, {
      method: 'POST',
      headers: { authorization: 'Bearer secret', 'content-type': 'application/json' },
      body: Buffer.from(JSON.stringify(service('a', { l: 'ä' })), 'latin1'),
    });
    assert.equal(latin.status, 400);
    assert.match(await latin.text(), /not UTF-8/);
    for (const body of ['a: *x\n', 'a: 1\na: 2\n']) {
      const refused = await api.call(services, { method: 'POST', body, type: 'application/yaml' });
      assert.deepEqual([refused.status, refused.json.issues.length], [400, 1]);
    }
    assert.equal((await api.call(services, { method: 'POST', body: 'a', type: 'text/html' })).status, 415);
    assert.equal((await api.call(services, { method: 'POST', body: '[]' })).status, 422);
    assert.equal((await api.call(services, { method: 'POST', body: 'null' })).status, 422);
    const deep = await api.call(services, { method: 'POST', body: `${'['.repeat(100_000)}${']'.repeat(100_000)}` });
    assert.equal(deep.status, 422);
  });

  it('knows which paths and methods there are', async () => {
    assert.equal((await api.call('/nothing')).status, 404);
    assert.equal((await api.call('/api/v1/namespaces/default/pods')).status, 404);
    assert.equal((await api.call('/%zz')).status, 400);
    assert.equal((await api.call(services, { method: 'DELETE' })).status, 405);
    assert.equal((await api.call('/api/v1/services', { method: 'POST', body: service('a') })).status, 405);
    assert.equal((await api.call('/version', { method: 'POST', body: {} })).status, 405);
    const elsewhere = { ...service('a'), metadata: { name: 'a', namespace: 'other' } };
    assert.equal((await api.call(services, { method: 'POST', body: elsewhere })).status, 400);
    assert.equal((await api.call(`${services}/b`, { method: 'PUT', body: service('a') })).status, 400);
    assert.equal((await api.call(services, { method: 'POST', body: virtualService('a') })).status, 400);
  });
});
