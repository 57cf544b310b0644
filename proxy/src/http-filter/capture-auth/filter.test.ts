import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { Headers } from '@weft/lib/header';
import type { Issue } from '@weft/lib/issue';
import { Scope } from '@weft/lib/metrics';
import { packAny } from '@weft/lib/protobuf/codec';
import { type Fault, fault } from '../../fault/fault.ts';
import type { Stream } from '../../stream/stream.ts';
import { CONTINUE, STOP } from '../filter.ts';
import { compileCaptureAuth } from './config.ts';

const type = 'weft.extensions.filters.http.capture_auth.v1.CaptureAuth';
const credential = 'k:9-with:colons';
const sha256 = createHash('sha256').update(credential).digest('hex');

function compile() {
  const issues: Issue[] = [];
  const scope = new Scope({ prefix: 'http' });
  const filter = compileCaptureAuth(packAny(type, { credentialSha256: sha256 }), 'auth', { scope, issues, path: 'f' });
  assert.deepEqual(issues, []);
  assert.ok(filter);
  return filter;
}

function basic(text: string): string {
  return `Basic ${Buffer.from(text).toString('base64')}`;
}

function ask(filter: ReturnType<typeof compile>, ...values: string[]) {
  const failures: Fault[] = [];
  const requestHeaders = Headers.of(...values.flatMap((value) => ['Proxy-Authorization', value]), 'accept', '*/*');
  const stream = { requestHeaders, fail: (reason: Fault) => failures.push(reason) } as unknown as Stream;
  return { status: filter.onRequestHead(stream, true), failures, requestHeaders };
}

test('lets the right credential pass, again and again, and takes it out of the request', () => {
  const filter = compile();
  for (let i = 0; i < 3; i++) {
    const { status, requestHeaders } = ask(filter, basic(`weft:${credential}`));
    assert.equal(status, CONTINUE);
    assert.deepEqual(requestHeaders.entries(), [['accept', '*/*']]);
  }
  assert.equal(ask(filter, basic(`anyone:${credential}`)).status, CONTINUE);
  assert.equal(ask(filter, basic(`:${credential}`).replace('Basic', 'basic')).status, CONTINUE);
});

const wrong: [name: string, values: string[]][] = [
  ['no header', []],
  ['another password', [basic('weft:other')]],
  ['no colon', [basic(credential.replaceAll(':', ''))]],
  ['the hash itself', [basic(`weft:${sha256}`)]],
  ['another scheme', [`Bearer ${credential}`]],
  ['no base64', ['Basic ***']],
  ['an empty value', ['']],
  ['two headers, the right one first', [basic(`weft:${credential}`), basic('weft:other')]],
  ['a huge value', [basic(`weft:${'x'.repeat(5000)}`)]],
];
for (const [name, values] of wrong) {
  test(`refuses ${name} with 407`, () => {
    const filter = compile();
    assert.equal(ask(filter, basic(`weft:${credential}`)).status, CONTINUE);
    const { status, failures } = ask(filter, ...values);
    assert.equal(status, STOP);
    assert.deepEqual(failures, [fault.capture_unauthenticated]);
    assert.equal(failures[0]?.status, 407);
  });
}

for (const bad of ['', 'abc', sha256.toUpperCase(), `${sha256}0`]) {
  test(`reports ${JSON.stringify(bad)} as credential_sha256`, () => {
    const issues: Issue[] = [];
    const context = { scope: new Scope({ prefix: 'http' }), issues, path: 'f' };
    assert.equal(compileCaptureAuth(packAny(type, { credentialSha256: bad }), 'auth', context), null);
    assert.deepEqual(
      issues.map((issue) => [issue.code, issue.path]),
      [['WEFT0740', 'f.credential_sha256']],
    );
  });
}
