import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatOperators, timeLetters } from '@weft/lib/format-operator';
import { Headers } from '@weft/lib/header';
import type { Issue } from '@weft/lib/issue';
import { fakeConnection, fakeView } from '../../../test/kit/logged-view.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Host } from '../cluster/host.ts';
import { fault } from '../fault/fault.ts';
import type { Route } from '../route/route.ts';
import { compileFormat, compileJsonFormat, compileTextFormat, defaultTextFormat, operatorNames } from './format.ts';
import { ConnectionView, type LoggedView } from './view.ts';

const host = {
  key: '10.0.0.7:9080',
  address: '10.0.0.7',
  port: 9080,
  metadata: { filterMetadata: { lb: { canary: true } } },
} as unknown as Host;
const cluster = { name: 'outbound|9080||reviews', origin: null } as unknown as Cluster;
const route = {
  name: 'reviews-v2',
  origin: { kind: 'VirtualService', namespace: 'default', name: 'reviews', file: 'reviews.yaml', line: 12 },
  metadata: { filterMetadata: { 'com.example': { team: 'books', limits: { rps: 5 } } } },
} as unknown as Route;

function textOf(format: string, view: LoggedView, omitEmpty = false): string {
  const issues: Issue[] = [];
  const formatter = compileTextFormat(format, omitEmpty, { issues, path: 'f' });
  assert.deepEqual(issues, []);
  return formatter(view);
}

const peer = {
  uriSans: ['spiffe://a', 'spiffe://b'],
  dnsSans: ['a.example'],
  subject: 'CN=a',
  issuer: 'CN=ca',
  serial: '0a',
  hash: 'abcd',
  pem: 'P M',
};

const secure = fakeConnection({
  serverName: 'reviews.example',
  tlsVersion: 'TLSv1.3',
  tlsCipher: 'TLS_AES_128_GCM_SHA256',
  peer,
  ownUriSans: ['spiffe://me'],
});

const grpcRequest = Headers.of('content-type', 'application/grpc+proto');

const cases: readonly [format: string, changes: Partial<LoggedView>, expected: string][] = [
  ['plain 100%% text', {}, 'plain 100% text'],
  ['%START_TIME%', {}, '2026-01-02T03:04:05.067Z'],
  ['%START_TIME(%Y/%m/%d %H:%M:%S.%3f %a %b %j %p %s)%', {}, '2026/01/02 03:04:05.067 Fri Jan 002 AM 1767323045'],
  ['%START_TIME(%E3S %f %6f %D %I %e)%', {}, '05.067 067000000 067000 01/02/26 03  2'],
  ['%REQ(:METHOD)% %REQ(:PATH)% %REQ(:AUTHORITY)% %REQ(:SCHEME)%', {}, 'GET /reviews/1?full=yes reviews:9080 http'],
  ['%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%', { path: '/new', originalPath: '/old' }, '/old'],
  ['%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%', { path: '/same', originalPath: '/same' }, '/same'],
  ['%REQ(user-agent):4%|%REQ(missing)%|%REQ(missing?X-Request-Id)%', {}, 'curl|-|r-1'],
  ['%RESP(Server)% %RESP(:STATUS)% %RESP(x)%', {}, 'nginx 200 -'],
  ['%TRAILER(grpc-status)%', { responseTrailers: Headers.of('grpc-status', '5') }, '5'],
  ['%PROTOCOL% %RESPONSE_CODE% %RESPONSE_CODE_DETAILS%', {}, 'HTTP/1.1 200 via_upstream'],
  ['%RESPONSE_CODE% %RESP(a)%', { status: 0, responseHeaders: null }, '0 -'],
  ['%RESPONSE_FLAGS%', {}, '-'],
  ['%RESPONSE_FLAGS%', { fault: fault.no_route, extraFlags: 'DI' }, 'NR,DI'],
  ['%RESPONSE_FLAGS%', { fault: fault.direct_response }, '-'],
  ['%RESPONSE_FLAGS%', { fault: fault.fault_abort, extraFlags: 'DI,FI' }, 'DI,FI'],
  ['%RESPONSE_FLAGS_LONG%', { fault: fault.no_healthy_host, extraFlags: 'DI' }, 'NoHealthyUpstream,DelayInjected'],
  ['%BYTES_RECEIVED% %BYTES_SENT%', {}, '0 1024'],
  ['%DURATION% %REQUEST_DURATION% %REQUEST_TX_DURATION% %RESPONSE_DURATION% %RESPONSE_TX_DURATION%', {}, '12 1 2 9 2'],
  ['%DURATION% %RESPONSE_DURATION%', { endMs: -1, responseStartMs: -1 }, '- -'],
  [
    '%UPSTREAM_HOST% %UPSTREAM_CLUSTER% %UPSTREAM_REMOTE_PORT%',
    { host, cluster },
    '10.0.0.7:9080 outbound|9080||reviews 9080',
  ],
  ['%UPSTREAM_HOST% %UPSTREAM_CLUSTER_RAW% %UPSTREAM_LOCAL_ADDRESS%', {}, '- - -'],
  ['%UPSTREAM_REQUEST_ATTEMPT_COUNT%', { attempts: 3 }, '3'],
  [
    '%UPSTREAM_TRANSPORT_FAILURE_REASON%',
    { fault: fault.connect_failed, details: 'upstream_reset_before_response_started{connection_failure|refused}' },
    'refused',
  ],
  ['%UPSTREAM_TRANSPORT_FAILURE_REASON%', { fault: fault.no_route, details: 'x' }, '-'],
  [
    '%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_PORT%',
    {},
    '10.0.0.9:50000 10.0.0.9 10.0.0.1:8080 8080',
  ],
  [
    '%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_DIRECT_REMOTE_ADDRESS% %DOWNSTREAM_DIRECT_REMOTE_PORT%',
    { connection: fakeConnection({ directRemoteAddress: '10.8.8.8', directRemotePort: 1 }), clientAddress: '' },
    '10.0.0.9:50000 10.8.8.8:1 1',
  ],
  [
    '%DYNAMIC_METADATA(a:b)% %METADATA(DYNAMIC:a:b)% %DYNAMIC_METADATA(a:c)%',
    { connection: fakeConnection({ metadata: { a: { b: 'x' } } }) },
    'x x -',
  ],
  ['%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%', { connection: fakeConnection({ remoteAddress: '::1' }) }, '[::1]:50000'],
  [
    '%REQUESTED_SERVER_NAME% %DOWNSTREAM_TLS_VERSION% %DOWNSTREAM_TLS_CIPHER%',
    { connection: secure },
    'reviews.example TLSv1.3 TLS_AES_128_GCM_SHA256',
  ],
  [
    '%DOWNSTREAM_PEER_URI_SAN% %DOWNSTREAM_PEER_SUBJECT% %DOWNSTREAM_LOCAL_URI_SAN%',
    { connection: secure },
    'spiffe://a,spiffe://b CN=a spiffe://me',
  ],
  ['%DOWNSTREAM_PEER_URI_SAN%', {}, '-'],
  ['%ROUTE_NAME% %VIRTUAL_CLUSTER_NAME% %CONNECTION_ID% %STREAM_ID%', { route }, 'reviews-v2 - 42 r-1'],
  ['%METADATA(ROUTE:com.example:team)%', { route }, 'books'],
  ['%METADATA(ROUTE:com.example:limits)%', { route }, '{"rps":5}'],
  ['%METADATA(ROUTE:com.example:limits:rps)% %METADATA(ROUTE:com.example:none)%', { route }, '5 -'],
  ['%METADATA(UPSTREAM_HOST:lb:canary)% %METADATA(CLUSTER:lb:canary)%', { host, cluster }, 'true -'],
  ['%GRPC_STATUS% %GRPC_STATUS_NUMBER%', {}, '- -'],
  [
    '%GRPC_STATUS% %GRPC_STATUS(SNAKE_STRING)% %GRPC_STATUS(NUMBER)%',
    { requestHeaders: grpcRequest, responseTrailers: Headers.of('grpc-status', '4') },
    'DeadlineExceeded DEADLINE_EXCEEDED 4',
  ],
  ['%GRPC_STATUS%', { requestHeaders: grpcRequest, status: 503 }, 'Unavailable'],
  ['%GRPC_STATUS%', { requestHeaders: grpcRequest, responseHeaders: Headers.of('grpc-status', 'x') }, 'Unknown'],
  [
    '%WEFT_ORIGIN% %WEFT_DECISION_ID%',
    { route, decisionId: 'd-1' },
    'VirtualService/default/reviews (reviews.yaml:12) d-1',
  ],
  ['%WEFT_ORIGIN% %CONNECTION_TERMINATION_DETAILS% %ACCESS_LOG_TYPE%', {}, '- - DownstreamEnd'],
];

describe('text format', () => {
  for (const [format, changes, expected] of cases) {
    it(`${format} gives ${expected}`, () => assert.equal(textOf(format, fakeView(changes)), expected));
  }

  it('has Envoy’s default', () => {
    assert.equal(
      textOf(defaultTextFormat, fakeView({ host })),
      '[2026-01-02T03:04:05.067Z] "GET /reviews/1?full=yes HTTP/1.1" 200 - 0 1024 12 - "-" "curl/8.0" "r-1" "reviews:9080" "10.0.0.7:9080"',
    );
  });

  it('leaves out what is absent when told to', () => {
    assert.equal(textOf('[%REQ(none)%]', fakeView(), true), '[]');
  });

  it('lets no peer forge a line or a field', () => {
    const requestHeaders = Headers.of('user-agent', 'a" 200 \\\t\x1b[31m\x85');
    assert.equal(textOf('"%REQ(User-Agent)%"', fakeView({ requestHeaders })), '"a\\x22 200 \\x5C\\x09\\x1B[31m\\x85"');
  });

  it('writes UTF-8 header values as what they mean', () => {
    const requestHeaders = Headers.of('x-name', Buffer.from('Zoë').toString('latin1'));
    assert.equal(textOf('%REQ(x-name)%', fakeView({ requestHeaders })), 'Zoë');
    assert.equal(textOf('%REQ(x-name):3%', fakeView({ requestHeaders })), 'Zoë');
  });

  it('writes other header values as latin1, so that they can be told apart', () => {
    for (const name of ['caf\xe9', 'caf\xe8']) {
      const view = fakeView({ requestHeaders: Headers.of('x-name', name) });
      assert.equal(textOf('%REQ(x-name)%', view), name);
      assert.equal(textOf('%REQ(x-name):4%', view), name);
      const json = compileJsonFormat(['%REQ(x-name)%', '-%REQ(x-name)%'], false, { issues: [], path: 'f' });
      assert.deepEqual(JSON.parse(json(view)), [name, `-${name}`]);
    }
  });

  it('works for a TCP connection, whose HTTP parts are empty', () => {
    const view = new ConnectionView(fakeConnection(), Date.UTC(2026, 0, 1), 5);
    view.details = 'idle_timeout';
    view.bytesSent = 7;
    view.endMs = 30;
    const text = textOf(
      '%PROTOCOL% %REQ(:METHOD)% %BYTES_SENT% %DURATION% %CONNECTION_TERMINATION_DETAILS% %ACCESS_LOG_TYPE%',
      view,
    );
    assert.equal(text, '- - 7 30 idle_timeout TcpConnectionEnd');
  });
});

describe('bad formats', () => {
  const bad: readonly [format: string, message: RegExp][] = [
    ['%NOPE%', /'%NOPE%' is not known/],
    ['%REQ()% x', /wants a header name/],
    ['%REQ(A?B?C)%', /wants a header name/],
    ['a % b', /'% b' is no operator/],
    ['%REQ(A', /no operator/],
    ['%DURATION(x)%', /takes no argument/],
    ['%START_TIME(%Q)%', /knows no '%Q'/],
    ['%METADATA(WHERE:x:y)%', /ROUTE, CLUSTER, UPSTREAM_HOST/],
    ['%METADATA(ROUTE)%', /namespace and keys/],
    ['%GRPC_STATUS(LOUD)%', /CAMEL_STRING/],
    ['%constructor%', /no operator/],
    ['%__PROTO__%', /not known/],
  ];
  for (const [format, message] of bad) {
    it(`${format} is an error that says what to write`, () => {
      const issues: Issue[] = [];
      compileTextFormat(format, false, { issues, path: 'log.format' });
      assert.equal(issues.length, 1);
      assert.equal(issues[0]?.level, 'error');
      assert.equal(issues[0]?.code, 'WEFT0200');
      assert.equal(issues[0]?.path, 'log.format');
      assert.match(issues[0]?.message ?? '', message);
    });
  }

  it('finds every bad operator at once', () => {
    const issues: Issue[] = [];
    compileTextFormat('%NOPE% %REQ()% %ALSO_NOT%', false, { issues, path: 'f' });
    assert.equal(issues.length, 3);
  });

  it('warns of a store that nothing fills', () => {
    const issues: Issue[] = [];
    const format = compileTextFormat('%FILTER_STATE(a)%', false, { issues, path: 'f' });
    assert.deepEqual(
      issues.map((issue) => [issue.level, issue.code]),
      [['warning', 'WEFT0201']],
    );
    assert.equal(format(fakeView()), '-');
  });
});

describe('JSON format', () => {
  function jsonOf(template: unknown, changes: Partial<LoggedView> = {}, omitEmpty = false): unknown {
    const issues: Issue[] = [];
    const formatter = compileJsonFormat(template, omitEmpty, { issues, path: 'f' });
    assert.deepEqual(issues, []);
    const text = formatter(fakeView(changes));
    assert.equal(text.includes('\n'), false);
    return JSON.parse(text);
  }

  it('keeps the type of a lone operator and joins the others to text', () => {
    const template = {
      code: '%RESPONSE_CODE%',
      text: 'c=%RESPONSE_CODE%',
      method: '%REQ(:METHOD)%',
      fixed: 7,
      on: true,
    };
    assert.deepEqual(jsonOf(template), { code: 200, text: 'c=200', method: 'GET', fixed: 7, on: true });
  });

  it('writes null for what is absent, or leaves it out when told to', () => {
    const template = { a: '%REQ(none)%', b: 'x%REQ(none)%' };
    assert.deepEqual(jsonOf(template), { a: null, b: 'x-' });
    assert.deepEqual(jsonOf(template, {}, true), { b: 'x' });
    const flags = { short: '%RESPONSE_FLAGS%', long: '%RESPONSE_FLAGS_LONG%' };
    assert.deepEqual(jsonOf(flags, {}, true), { short: '-', long: '-' }, 'no flag is said, not absent');
  });

  it('nests objects and lists, also those of metadata', () => {
    const template = {
      outer: { list: ['%PROTOCOL%', { n: '%BYTES_SENT%' }] },
      m: '%METADATA(ROUTE:com.example:limits)%',
    };
    assert.deepEqual(jsonOf(template, { route }), { outer: { list: ['HTTP/1.1', { n: 1024 }] }, m: { rps: 5 } });
  });

  it('escapes by JSON’s own rules', () => {
    const requestHeaders = Headers.of('x', 'a"\n\\');
    assert.deepEqual(jsonOf({ x: '%REQ(x)%' }, { requestHeaders }), { x: 'a"\n\\' });
  });

  it('names the member of a bad operator', () => {
    const issues: Issue[] = [];
    compileJsonFormat({ a: { b: ['%NOPE%'] } }, false, { issues, path: 'json_format' });
    assert.equal(issues[0]?.path, 'json_format.a.b[0]');
  });
});

describe('header value format', () => {
  function headerOf(format: string, changes: Partial<LoggedView> = {}): string {
    const issues: Issue[] = [];
    const formatter = compileFormat(format, issues, 'f');
    assert.deepEqual(issues, []);
    return formatter(fakeView(changes));
  }

  it('takes literals as they are', () => assert.equal(headerOf('just text'), 'just text'));
  it('leaves out what is absent', () => assert.equal(headerOf('%REQ(none)%'), ''));
  it('keeps quotes and latin1 of other headers', () => {
    assert.equal(headerOf('v=%REQ(x)%', { requestHeaders: Headers.of('x', 'a"\xe9') }), 'v=a"\xe9');
  });
  it('lets no value break the header', () => {
    assert.equal(headerOf('%RESPONSE_CODE_DETAILS%', { details: 'a\r\nx: y\0' }), 'a??x: y?');
    assert.equal(headerOf('%RESPONSE_CODE_DETAILS%', { details: 'ж' }), Buffer.from('ж').toString('latin1'));
  });
});

it('knows every letter of a time that the control plane accepts', () => {
  for (const letter of timeLetters) assert.notEqual(textOf(`%START_TIME(%${letter})%`, fakeView()), '');
});

it('has every operator that the control plane accepts, and there are no others', () => {
  assert.deepEqual(operatorNames(), formatOperators);
});
