// What becomes of a path, once and for all: routes, RBAC, the upstream and the access log see the same, over HTTP/1 and HTTP/2.

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { openClient } from '../../kit/client.ts';
import { openFramePeer } from '../../kit/frame-peer.ts';
import { type Scene, startScene } from './attack/scene.ts';
import { routeTo } from './fixture.ts';

type Policy = Readonly<Record<string, unknown>>;

const base: Policy = { normalize_path: true };
const merging: Policy = { normalize_path: true, merge_slashes: true };
const escapes = (action: string): Policy => ({ ...merging, path_with_escaped_slashes_action: action });
const unescaping: Policy = { path_with_escaped_slashes_action: 'UNESCAPE_AND_REDIRECT' };

/** `path` as the upstream gets it, or a status, with the place to go to for 307. */
type Case = readonly [policy: Policy, sent: string, expected: string];

const cases: readonly Case[] = [
  [{}, '/a/../b', '/a/../b'],
  [base, '/a/../b', '/b'],
  [base, '/a/./b', '/a/b'],
  [base, '/a/..', '/'],
  [base, '/../../a', '/a'],
  [base, '/a/%2e%2E/b', '/b'],
  [base, '/a/.%2e/b', '/b'],
  [base, '/a/..;x/b', '/b'],
  [base, '/a/..\\b', '/b'],
  [base, '/a\\b', '/a/b'],
  [base, '/%61%7e%2d', '/a~-'],
  [base, '/a%2fb%3a%C3', '/a%2fb%3a%C3'],
  [base, '/a%252e', '/a%252e'],
  [base, '/a%2', '/a%2'],
  [base, '/a|b', '/a%7Cb'],
  [base, '/a%00b', '400'],
  [base, '/a//b', '/a//b'],
  [base, '/a/?x=/../y//%2f', '/a/?x=/../y//%2f'],
  [merging, '//a///b/', '/a/b/'],
  [merging, '/a//../b', '/a/b'],
  [{ merge_slashes: true }, '//a/./b', '/a/./b'],
  [escapes('KEEP_UNCHANGED'), '/a%2fb%5Cc', '/a%2fb%5Cc'],
  [escapes('IMPLEMENTATION_SPECIFIC_DEFAULT'), '/a%2fb', '/a%2fb'],
  [escapes('REJECT_REQUEST'), '/a%2fb', '400'],
  [escapes('REJECT_REQUEST'), '/a%5Cb', '400'],
  [escapes('UNESCAPE_AND_REDIRECT'), '/a%2f..%2Fb?q=%2f', '307 /b?q=%2f'],
  [escapes('UNESCAPE_AND_REDIRECT'), '/a/b', '/a/b'],
  [unescaping, '/%2fevil.example/x', '307 /.//evil.example/x'],
  [unescaping, '/%5Cevil.example/x', '307 /./\\evil.example/x'],
  [escapes('UNESCAPE_AND_FORWARD'), '/a%2f..%5Cb', '/b'],
  [escapes('UNESCAPE_AND_FORWARD'), '/a%2f%2fb', '/a/b'],
  [escapes('UNESCAPE_AND_FORWARD'), '/a%252fb', '/a%252fb'],
];

const logFormat = '%REQ(:PATH)% %RESPONSE_CODE%';

async function overHttp1(context: TestContext, scene: Scene, path: string): Promise<string> {
  const client = await openClient(context, scene.port);
  const { status, headers, text } = await client.fetch('GET', path);
  if (status === 200) return text.split(' ')[1] ?? '';
  return status === 307 ? `307 ${headers.location}` : String(status);
}

async function overHttp2(context: TestContext, scene: Scene, path: string): Promise<string> {
  const client = await openFramePeer(context, scene.port);
  const written = path.replaceAll('\\', '\\\\').replaceAll('|', '\\u007c');
  client.send(`headers 1 end |:method: GET|:scheme: http|:authority: a|:path: ${written}`);
  const line = await client.seen(/^HEADERS 1 /);
  const status = / :status=(\d+)/.exec(line)?.[1];
  if (status === '307') return `307 ${/ location=(\S+)/.exec(line)?.[1]}`;
  if (status !== '200') return String(status);
  await client.seen(/^DATA 1 .*end$/);
  return client.bodies.get(1)?.split(' ')[1] ?? '';
}

describe('a path', () => {
  for (const [policy, sent, expected] of cases) {
    it(`${sent} becomes ${expected} by ${JSON.stringify(policy)}`, async (context) => {
      const scene = await startScene(context, { manager: policy, logFormat });
      assert.equal(await overHttp1(context, scene, sent), expected, 'HTTP/1');
      assert.equal(await overHttp2(context, scene, sent), expected, 'HTTP/2');
      if (!expected.startsWith('/')) return;
      const log = await scene.proxy.accessLog();
      assert.deepEqual(log.slice(1), [`${expected} 200`, `${expected} 200`]);
    });
  }

  it('never redirects to another host', async (context) => {
    const scene = await startScene(context, { manager: unescaping });
    for (const path of ['/%2fevil.example/x', '/%5cevil.example/x', '/%2F%2Fevil.example/x']) {
      const location = (await overHttp1(context, scene, path)).slice('307 '.length);
      const { host, pathname } = new URL(location, 'http://shop.example/');
      assert.deepEqual([host, /^\/+evil\.example\/x$/.test(pathname)], ['shop.example', true], location);
    }
  });

  it('that is refused or redirected is counted', async (context) => {
    const refusing = await startScene(context, { manager: escapes('REJECT_REQUEST') });
    await overHttp1(context, refusing, '/a%2fb');
    assert.equal(refusing.proxy.stat('http.test.downstream_rq_failed_path_normalization'), 1);
    const redirecting = await startScene(context, { manager: escapes('UNESCAPE_AND_REDIRECT') });
    await overHttp1(context, redirecting, '/a%2fb');
    assert.equal(redirecting.proxy.stat('http.test.downstream_rq_redirected_with_normalized_path'), 1);
  });

  it('of a gRPC call is refused rather than redirected', async (context) => {
    const scene = await startScene(context, { manager: escapes('UNESCAPE_AND_REDIRECT') });
    const client = await openFramePeer(context, scene.port);
    client.send(
      'headers 1 end |:method: POST|:scheme: http|:authority: a|:path: /a%2fb|content-type: application/grpc|te: trailers',
    );
    assert.match(await client.seen(/^HEADERS 1 /), /grpc-status=13/);
  });
});

describe('a rule for a path', () => {
  const denyAdmin = {
    name: 'envoy.filters.http.rbac',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC',
      rules: {
        action: 'DENY',
        policies: {
          admin: { permissions: [{ url_path: { path: { prefix: '/admin' } } }], principals: [{ any: true }] },
        },
      },
    },
  };
  const disguises = [
    '/admin/x',
    '/a/../admin/x',
    '/%61dmin/x',
    '/./admin/x',
    '/a/..%2fadmin/x',
    '/a%5c..%5cadmin/x',
    '//admin/x',
    '/a\\..\\admin/x',
    '/%2e/admin/x',
    '/a/..;/admin/x',
  ];
  for (const path of disguises) {
    it(`holds for ${path}, whichever way it is written`, async (context) => {
      const manager = escapes('UNESCAPE_AND_FORWARD');
      const scene = await startScene(context, { manager, filters: [denyAdmin] });
      assert.equal(await overHttp1(context, scene, path), '403', 'HTTP/1');
      assert.equal(await overHttp2(context, scene, path), '403', 'HTTP/2');
    });
  }

  it('and the routes see the same path', async (context) => {
    const routes = [{ match: { prefix: '/admin' }, direct_response: { status: 418 } }, routeTo('web')];
    const scene = await startScene(context, { manager: base, routes });
    assert.equal(await overHttp1(context, scene, '/a/../admin'), '418');
    assert.equal(await overHttp2(context, scene, '/a/../admin'), '418');
  });
});
