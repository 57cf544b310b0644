// The mesh API under the real kubectl, where there is one.

import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { formatKubeconfig } from './kubeconfig.ts';
import { startTestApi, type TestApi } from './test-api.ts';

const hasKubectl = spawnSync('kubectl', ['version', '--client'], { stdio: 'ignore' }).status === 0;
const skip = hasKubectl ? false : 'kubectl is not installed';

const mesh = `
apiVersion: v1
kind: Service
metadata: {name: reviews}
spec: {ports: [{name: http, port: 9080}], selector: {app: reviews}}
---
apiVersion: networking.istio.io/v1alpha3
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http: [{route: [{destination: {host: reviews}}]}]
`;

describe('Mesh API under kubectl', { skip }, () => {
  const home = mkdtempSync(join(tmpdir(), 'weft-kubectl-'));
  let api: TestApi;

  before(async () => {
    api = await startTestApi();
    writeFileSync(join(home, 'token'), 'secret');
    const options = { authority: api.authority, tokenFile: join(home, 'token'), namespace: 'default' };
    writeFileSync(join(home, 'config'), formatKubeconfig({ server: `https://127.0.0.1:${api.port}`, ...options }));
  });
  after(async () => {
    await api.close();
    rmSync(home, { recursive: true, force: true });
  });

  interface Outcome {
    readonly code: number;
    readonly out: string;
    readonly err: string;
  }

  /** Runs kubectl with a home of its own, so that its discovery cache is fresh. */
  const kubectl = (args: readonly string[], input = ''): Promise<Outcome> =>
    new Promise((resolve) => {
      const env = { PATH: process.env.PATH, HOME: home, KUBECONFIG: join(home, 'config') };
      const child = execFile('kubectl', args, { env, timeout: 60_000 }, (error, out, err) =>
        resolve({ code: error === null ? 0 : Number(error.code ?? 1), out, err }),
      );
      child.stdin?.end(input);
    });

  const run = async (args: readonly string[], input?: string): Promise<string> => {
    const { code, out, err } = await kubectl(args, input);
    assert.equal(code, 0, `kubectl ${args.join(' ')}: ${err}`);
    return out;
  };

  it('lists the kinds', async () => {
    assert.match(
      await run(['api-resources', '--no-headers']),
      /virtualservices +vs +networking\.istio\.io\/v1 +true +VirtualService/,
    );
  });

  it('applies, applies again, gets and deletes', async () => {
    assert.match(
      await run(['apply', '-f', '-'], mesh),
      /service\/reviews created\nvirtualservice.networking.istio.io\/reviews created/,
    );
    assert.match(await run(['apply', '-f', '-'], mesh), /virtualservice.networking.istio.io\/reviews unchanged/);
    const changed = mesh.replace('port: 9080', 'port: 9081').replace('hosts: [reviews]', 'hosts: [reviews, ratings]');
    assert.match(
      await run(['apply', '-f', '-'], changed),
      /service\/reviews configured\nvirtualservice.networking.istio.io\/reviews configured/,
    );
    assert.equal(await run(['get', 'svc', 'reviews', '-o', 'jsonpath={.spec.ports[*].port}']), '9081');
    assert.match(await run(['get', 'vs']), /NAME +GATEWAYS +HOSTS +AGE\nreviews +\["reviews","ratings"\]/);
    assert.match(await run(['get', 'vs', 'reviews', '-o', 'yaml']), /kind: VirtualService/);
    assert.match(await run(['delete', '-f', '-'], changed), /"reviews" deleted/);
    assert.equal(await run(['get', 'vs,svc', '-o', 'name']), '');
  });

  it('shows every finding of a resource that is refused', async () => {
    const { code, err } = await kubectl(
      ['apply', '-f', '-'],
      mesh.replace('hosts:', 'hots:').replace('destination:', 'destinatoin:'),
    );
    assert.equal(code, 1);
    assert.match(err, /spec\.hots: WEFT0407: There is no field hots here\. Did you mean hosts\?/);
    assert.match(err, /Did you mean destination\?/);
  });

  it('says that there is no such kind', async () => {
    const { err } = await kubectl(
      ['apply', '-f', '-'],
      'apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: []}\n',
    );
    assert.match(err, /no matches for kind "Pod" in version "v1"/);
  });

  it('creates core kinds, which kubectl sends as protobuf', async () => {
    assert.match(await run(['create', 'namespace', 'shop']), /namespace\/shop created/);
    await run(['create', 'secret', 'generic', 'words', '--from-literal=a=b', '-n', 'shop']);
    assert.equal(await run(['get', 'secret', 'words', '-n', 'shop', '-o', 'jsonpath={.data.a}']), 'Yg==');
    await run(['create', 'service', 'clusterip', 'web', '--tcp=80:8080']);
    assert.equal(await run(['get', 'svc', 'web', '-o', 'jsonpath={.spec.ports[0].targetPort}']), '8080');
    assert.match(await run(['get', 'all', '-o', 'name']), /service\/web/);
    await run(['delete', 'svc', 'web']);
    await run(['delete', 'secret', 'words', '-n', 'shop']);
    await run(['delete', 'namespace', 'shop']);
  });

  it('lists the namespaces that something is in', async () => {
    await run(['apply', '-n', 'busy', '-f', '-'], mesh);
    assert.equal(await run(['get', 'ns', '-o', 'name']), 'namespace/busy\nnamespace/default\n');
    assert.match(await run(['get', 'ns', 'busy']), /busy +Active/);
    const { err } = await kubectl(['delete', 'ns', 'busy']);
    assert.match(err, /as long as something is in it/);
    await run(['delete', '-n', 'busy', '-f', '-'], mesh);
    assert.equal(await run(['get', 'ns', '-o', 'name']), 'namespace/default\n');
  });

  it('labels, patches, describes and explains', async () => {
    await run(['apply', '-f', '-'], mesh);
    await run(['label', 'vs', 'reviews', 'team=x']);
    assert.equal(
      await run(['get', 'vs', '-l', 'team=x', '-o', 'name']),
      'virtualservice.networking.istio.io/reviews\n',
    );
    await run(['patch', 'svc', 'reviews', '-p', '{"spec":{"ports":[{"name":"more","port":90}]}}']);
    const ports = await run(['get', 'svc', 'reviews', '-o', 'jsonpath={.spec.ports[*].port}']);
    assert.deepEqual(ports.split(' ').sort(), ['90', '9080']);
    assert.match(await run(['describe', 'vs', 'reviews']), /Hosts:\n +reviews/);
    assert.match(await run(['explain', 'vs.spec.http.timeout']), /FIELD: timeout <string>/);
    await run(['delete', 'vs,svc', 'reviews']);
  });
});
