import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Headers } from '@weft/lib/header';
import type { Issue } from '@weft/lib/issue';
import { Scope } from '@weft/lib/metrics';
import { packAny } from '@weft/lib/protobuf/codec';
import { fakeConnection } from '../../../../test/kit/logged-view.ts';
import { type Fault, fault } from '../../fault/fault.ts';
import type { Stream } from '../../stream/stream.ts';
import { CONTINUE, STOP } from '../filter.ts';
import { compileHttpRbac, compileHttpRbacOverride } from './config.ts';

const rbacType = 'envoy.extensions.filters.http.rbac.v3.RBAC';
const everybody = { permissions: [{ any: true }], principals: [{ any: true }] };
const scope = new Scope({ prefix: 'http' });

class FakeStream {
  readonly connection = fakeConnection({ remoteAddress: '127.0.0.1' });
  readonly method = 'GET';
  readonly path = '/';
  readonly authority = 'a';
  readonly scheme = 'http';
  readonly requestHeaders = Headers.of();
  readonly failures: [Fault, string][] = [];
  private readonly override: unknown;

  constructor(override: unknown = null) {
    this.override = override;
  }

  routeConfig(name: string): unknown {
    return name === 'envoy.filters.http.rbac' ? this.override : null;
  }

  fail(reason: Fault, details: string): void {
    this.failures.push([reason, details]);
  }
}

function compile(config: Parameters<typeof packAny<typeof rbacType>>[1]) {
  const issues: Issue[] = [];
  const filter = compileHttpRbac(packAny(rbacType, config), 'envoy.filters.http.rbac', { scope, issues, path: 'f' });
  assert.deepEqual(issues, []);
  assert.ok(filter);
  return (stream: FakeStream) => filter.onRequestHead(stream as unknown as Stream, true);
}

test('lets a request pass that a policy allows', () => {
  const stream = new FakeStream();
  assert.equal(compile({ rules: { policies: { open: everybody } } })(stream), CONTINUE);
  assert.deepEqual(stream.failures, []);
});

test('refuses with the policy that denied it', () => {
  const stream = new FakeStream();
  assert.equal(compile({ rules: { action: 'DENY', policies: { shut: everybody } } })(stream), STOP);
  assert.deepEqual(stream.failures, [[fault.access_denied, 'rbac_access_denied_matched_policy[shut]']]);
});

test('enforces nothing without rules and everything with empty ones', () => {
  assert.equal(compile({})(new FakeStream()), CONTINUE);
  assert.equal(compile({ rules: {} })(new FakeStream()), STOP);
});

test('a route replaces the rules or is exempt', () => {
  const type = 'envoy.extensions.filters.http.rbac.v3.RBACPerRoute';
  const shut = compile({ rules: {} });
  const context = { scope, issues: [], path: 'o' };
  const open = compileHttpRbacOverride(packAny(type, { rbac: { rules: { policies: { open: everybody } } } }), context);
  assert.equal(shut(new FakeStream(open)), CONTINUE);
  assert.equal(shut(new FakeStream(compileHttpRbacOverride(packAny(type, {}), context))), CONTINUE);
  const closed = compileHttpRbacOverride(packAny(type, { rbac: { rules: {} } }), context);
  assert.equal(compile({})(new FakeStream(closed)), STOP);
});

test('reports what is not carried out', () => {
  const issues: Issue[] = [];
  const any = packAny(rbacType, { matcher: {}, rules: { policies: { p: {} } } });
  assert.equal(compileHttpRbac(any, 'f', { scope, issues, path: 'f' }), null);
  assert.deepEqual(
    issues.map((issue) => issue.path),
    ['f.matcher', 'f.rules.policies["p"].permissions', 'f.rules.policies["p"].principals'],
  );
});
