// What the proxy makes of an HTTP/2 upstream that fails without a word of explanation or with the wrong first words: repeated where
// that is safe, failed where it is not.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openClient } from '../../kit/client.ts';
import { type Answer, frames, ok } from '../../kit/http2/strict-upstream.ts';
import { setUp } from './proxy-before.ts';

const hangUp: Answer = ({ socket }) => {
  socket.end();
};
const cut: Answer = ({ socket }) => {
  socket.resetAndDestroy();
};
const retries = { retry_policy: { retry_on: 'reset', num_retries: 1 } };

interface Failure {
  readonly first: Answer;
  readonly method: string;
  readonly action?: Readonly<Record<string, unknown>>;
  readonly status: number;
  /** How often the upstream sees the request. */
  readonly seen: number;
}

const failures: Readonly<Record<string, Failure>> = {
  'delivers again what was refused, without a policy': {
    first: frames('reset ID 7'),
    method: 'GET',
    status: 200,
    seen: 2,
  },
  'delivers again what GOAWAY says was never taken': {
    first: frames('goaway 0 0'),
    method: 'GET',
    status: 200,
    seen: 2,
  },
  'does not keep a body for that': { first: frames('reset ID 7'), method: 'POST', status: 503, seen: 1 },
  'repeats a refused POST by policy, body and all': {
    first: frames('reset ID 7'),
    method: 'POST',
    action: { retry_policy: { retry_on: 'refused-stream', num_retries: 1 } },
    status: 200,
    seen: 2,
  },
  'does not repeat a POST that GOAWAY says may have been taken': {
    first: (connection) => {
      connection.send('goaway 1 0');
      connection.socket.end();
    },
    method: 'POST',
    status: 503,
    seen: 1,
  },
  'does not repeat what was reset, without a policy': {
    first: frames('reset ID 2'),
    method: 'GET',
    status: 503,
    seen: 1,
  },
  'repeats a GET that was reset, by policy': {
    first: frames('reset ID 2'),
    method: 'GET',
    action: retries,
    status: 200,
    seen: 2,
  },
  'does not repeat a POST that was reset, for all the policy': {
    first: frames('reset ID 2'),
    method: 'POST',
    action: retries,
    status: 503,
    seen: 1,
  },
  'repeats a GET whose connection ended, by policy': {
    first: hangUp,
    method: 'GET',
    action: retries,
    status: 200,
    seen: 2,
  },
  'repeats a GET whose connection was cut, by policy': {
    first: cut,
    method: 'GET',
    action: retries,
    status: 200,
    seen: 2,
  },
  'repeats a GET whose answer was malformed, by policy': {
    first: frames('headers ID end |x: y'),
    method: 'GET',
    action: retries,
    status: 200,
    seen: 2,
  },
};

for (const [name, { first, method, action, status, seen }] of Object.entries(failures)) {
  test(name, async (context) => {
    const { proxy, upstream } = await setUp(context, [first, ok], {}, action);
    const client = await openClient(context, proxy.port());
    const response = await client.fetch(method, '/', {}, method === 'POST' ? 'body' : '');
    assert.equal(response.status, status);
    assert.equal(upstream.requests.length, seen);
    await upstream.inStep();
    assert.deepEqual(upstream.violations, []);
  });
}

const greetings: Readonly<Record<string, string>> = {
  'a PING': 'ping',
  'a response': 'headers 1 end |ok',
  'an acknowledgement': 'settings ack',
  'HTTP/1': 'bytes |HTTP/1.1 400 Bad Request\\r\\nConnection: close\\r\\n\\r\\n',
  'a preface of its own': 'preface',
  'a frame of a type that does not exist': 'frame 99 0 0 00',
};

for (const [name, greeting] of Object.entries(greetings)) {
  test(`refuses ${name} in place of SETTINGS`, async (context) => {
    const { proxy, upstream } = await setUp(context, [], { greeting });
    const client = await openClient(context, proxy.port());
    const response = await client.fetch('POST', '/', {}, 'body');
    assert.equal(response.status, 502);
    const [log = ''] = await proxy.accessLog();
    assert.match(log, /^502 UPE http2_(?:settings_first|frame_too_large)$/);
    upstream.script([ok]);
    const next = await openClient(context, proxy.port());
    assert.equal((await next.fetch('GET', '/')).status, 200);
    await upstream.inStep();
    assert.deepEqual(upstream.violations, []);
  });
}
