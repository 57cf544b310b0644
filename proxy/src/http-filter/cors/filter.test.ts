import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { envoy } from '@weft/api/xds/types';
import { Headers } from '@weft/lib/header';
import type { Issue } from '@weft/lib/issue';
import { Scope } from '@weft/lib/metrics';
import { packAny } from '@weft/lib/protobuf/codec';
import type { Stream } from '../../stream/stream.ts';
import { CONTINUE, STOP } from '../filter.ts';
import { compileCors, compileCorsPolicy, corsPolicyType } from './config.ts';

type Config = envoy.extensions.filters.http.cors.v3.CorsPolicy;

const policyConfig: Config = {
  allowOriginStringMatch: [{ exact: 'https://a.example' }, { safeRegex: { regex: 'https://[a-z]+\\.b\\.example' } }],
  allowMethods: 'GET,PUT',
  allowHeaders: 'x-a',
  exposeHeaders: 'x-b',
  maxAge: '600',
  allowCredentials: true,
  allowPrivateNetworkAccess: true,
};

interface Replied {
  readonly status: number;
  readonly headers: [string, string][];
}

function ask(config: Config | null, method: string, ...request: string[]) {
  const issues: Issue[] = [];
  const scope = new Scope({ prefix: 'http' });
  const filter = compileCors(packAny('envoy.extensions.filters.http.cors.v3.Cors', {}), 'cors', {
    scope,
    random: () => 0.5,
  });
  filter.slot = 0;
  const policy = config === null ? null : compileCorsPolicy(packAny(corsPolicyType, config), { issues, path: 'p' });
  assert.deepEqual(issues, []);
  const replies: Replied[] = [];
  const responseHeaders = Headers.of('access-control-allow-origin', 'from the endpoint', 'x-b', '1');
  const stream = {
    method,
    requestHeaders: Headers.of(...request),
    responseHeaders,
    filterState: [null],
    routeConfig: () => policy,
    reply: (status: number, headers: Headers) => replies.push({ status, headers: headers.entries() }),
  } as unknown as Stream;
  const status = filter.onRequestHead(stream, true);
  if (status === CONTINUE) filter.onResponseHead(stream, true);
  const counts = [scope.counter('cors.origin_valid').value, scope.counter('cors.origin_invalid').value];
  return { status, replies, response: responseHeaders.entries(), counts };
}

const untouched = [
  ['access-control-allow-origin', 'from the endpoint'],
  ['x-b', '1'],
];
const preflight = ['access-control-request-method', 'PUT'];

describe('the CORS filter', () => {
  it('answers the preflight of an allowed origin', () => {
    const { status, replies } = ask(policyConfig, 'OPTIONS', 'origin', 'https://a.example', ...preflight);
    assert.equal(status, STOP);
    assert.deepEqual(replies, [
      {
        status: 200,
        headers: [
          ['access-control-allow-origin', 'https://a.example'],
          ['access-control-allow-credentials', 'true'],
          ['access-control-allow-methods', 'GET,PUT'],
          ['access-control-allow-headers', 'x-a'],
          ['access-control-max-age', '600'],
        ],
      },
    ]);
  });

  it('lets a request without a method to ask for go on to the endpoint', () => {
    const asked = ['access-control-request-method', ''];
    const { status, response } = ask(policyConfig, 'OPTIONS', 'origin', 'https://a.example', ...asked);
    assert.equal(status, CONTINUE);
    assert.ok(
      response.some(([name, value]) => name === 'access-control-allow-origin' && value === 'https://a.example'),
    );
    const strict = { ...policyConfig, forwardNotMatchingPreflights: false };
    assert.equal(ask(strict, 'OPTIONS', 'origin', 'https://other.example', ...asked).status, CONTINUE);
  });

  it('takes * for every origin', () => {
    const anyone = { ...policyConfig, allowOriginStringMatch: [{ exact: '*' }] };
    const { response } = ask(anyone, 'GET', 'origin', 'https://whoever.example');
    assert.deepEqual(response[1], ['access-control-allow-origin', 'https://whoever.example']);
  });

  it('allows a private network when asked', () => {
    const { replies } = ask(
      policyConfig,
      'OPTIONS',
      'origin',
      'https://a.example',
      ...preflight,
      'access-control-request-private-network',
      'true',
    );
    assert.deepEqual(replies[0]?.headers[2], ['access-control-allow-private-network', 'true']);
  });

  it('marks the response to an allowed origin, whatever the endpoint said', () => {
    const { status, response, counts } = ask(policyConfig, 'GET', 'origin', 'https://x.b.example');
    assert.equal(status, CONTINUE);
    assert.deepEqual(response, [
      ['x-b', '1'],
      ['access-control-allow-origin', 'https://x.b.example'],
      ['access-control-allow-credentials', 'true'],
      ['access-control-expose-headers', 'x-b'],
    ]);
    assert.deepEqual(counts, [1, 0]);
  });

  it('leaves other origins to the endpoint and counts them', () => {
    const { status, response, counts } = ask(policyConfig, 'OPTIONS', 'origin', 'https://a.example.evil', ...preflight);
    assert.equal(status, CONTINUE);
    assert.deepEqual(response, untouched);
    assert.deepEqual(counts, [0, 1]);
  });

  it('answers their preflights without permission when they are not to be forwarded', () => {
    const config = { ...policyConfig, forwardNotMatchingPreflights: false };
    const { status, replies } = ask(config, 'OPTIONS', 'origin', 'https://evil.example', ...preflight);
    assert.equal(status, STOP);
    assert.deepEqual(replies, [{ status: 200, headers: [] }]);
    assert.equal(ask(config, 'GET', 'origin', 'https://evil.example').status, CONTINUE);
  });

  const others: readonly [name: string, config: Config | null, method: string, request: string[]][] = [
    ['requests without an origin', policyConfig, 'GET', []],
    ['requests with an empty origin', policyConfig, 'GET', ['origin', '']],
    ['routes without a policy', null, 'OPTIONS', ['origin', 'https://a.example', ...preflight]],
    [
      'requests outside the share',
      { ...policyConfig, filterEnabled: { defaultValue: { numerator: 50 } } },
      'GET',
      ['origin', 'https://a.example'],
    ],
  ];
  for (const [name, config, method, request] of others) {
    it(`leaves alone ${name}`, () => {
      const { status, response, counts } = ask(config, method, ...request);
      assert.equal(status, CONTINUE);
      assert.deepEqual(response, untouched);
      assert.deepEqual(counts, [0, 0]);
    });
  }

  it('only counts in the shadow', () => {
    const config: Config = {
      ...policyConfig,
      filterEnabled: { defaultValue: {} },
      shadowEnabled: { defaultValue: { numerator: 100 } },
    };
    const { response, counts } = ask(config, 'GET', 'origin', 'https://a.example');
    assert.deepEqual(response, untouched);
    assert.deepEqual(counts, [1, 0]);
  });

  it('passes an OPTIONS request on that is no preflight', () => {
    assert.equal(ask(policyConfig, 'OPTIONS', 'origin', 'https://a.example').status, CONTINUE);
  });

  it('reports an origin matcher that is none', () => {
    const issues: Issue[] = [];
    const bad = packAny(corsPolicyType, { allowOriginStringMatch: [{ safeRegex: { regex: '(' } }, {}] });
    assert.equal(compileCorsPolicy(bad, { issues, path: 'p' }), null);
    assert.deepEqual(
      issues.map((issue) => issue.path),
      ['p.allow_origin_string_match[0].safe_regex.regex', 'p.allow_origin_string_match[1]'],
    );
  });
});
