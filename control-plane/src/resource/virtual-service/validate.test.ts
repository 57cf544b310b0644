// What a VirtualService says, seen alone.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { specFindings } from '../test-findings.ts';

const route = 'route: [{destination: {host: reviews}}]';
const findings = (spec: string) => specFindings('VirtualService', spec);

/** Name, rule of `spec.http`, expected findings. */
const rules: readonly (readonly [string, string, readonly string[]])[] = [
  ['takes a plain route', `{${route}}`, []],
  ['wants an action', '{match: [{uri: {prefix: /a}}]}', ['WEFT0431 spec.http[0]']],
  ['wants one action', `{${route}, redirect: {uri: /b}}`, ['WEFT0430 spec.http[0]']],
  [
    'wants no rewrite beside a redirect',
    '{redirect: {uri: /b}, rewrite: {uri: /c}}',
    ['WEFT0430 spec.http[0].rewrite'],
  ],
  [
    'wants one form of match',
    `{match: [{uri: {exact: /a, prefix: /b}}], ${route}}`,
    ['WEFT0430 spec.http[0].match[0].uri'],
  ],
  [
    'wants RE2 expressions',
    `{match: [{uri: {regex: '(?!a)'}}], ${route}}`,
    ['WEFT0433 spec.http[0].match[0].uri.regex'],
  ],
  [
    'wants header names',
    `{match: [{headers: {'a b': {exact: c}}}], ${route}}`,
    ['WEFT0434 spec.http[0].match[0].headers["a b"]'],
  ],
  [
    'notes weights that are no percentages',
    '{route: [{destination: {host: a}, weight: 1}, {destination: {host: b}, weight: 2}]}',
    ['WEFT0437 spec.http[0].route'],
  ],
  [
    'wants one weight at least',
    '{route: [{destination: {host: a}}, {destination: {host: b}}]}',
    ['WEFT0438 spec.http[0].route'],
  ],
  [
    'notes a destination that gets nothing',
    '{route: [{destination: {host: a}, weight: 100}, {destination: {host: b}}]}',
    ['WEFT0437 spec.http[0].route[1]'],
  ],
  [
    'wants weights that can be counted',
    '{route: [{destination: {host: a}, weight: 2147483647}, {destination: {host: a}, weight: 2147483647}, {destination: {host: b}, weight: 2147483647}]}',
    ['WEFT0410 spec.http[0].route'],
  ],
  [
    'wants a replacement with groups of the pattern',
    `{${route}, rewrite: {uriRegexRewrite: {match: '/a/(.*)', rewrite: '/b/\\2'}}}`,
    ['WEFT0433 spec.http[0].rewrite.uriRegexRewrite.rewrite'],
  ],
  [
    'wants a replacement without unknown escapes',
    `{${route}, rewrite: {uriRegexRewrite: {match: '/a/(.*)', rewrite: '/b/\\x'}}}`,
    ['WEFT0433 spec.http[0].rewrite.uriRegexRewrite.rewrite'],
  ],
  [
    'wants a rewrite that fits into a request',
    `{${route}, rewrite: {uri: '/a b', authority: 'a/b'}}`,
    ['WEFT0410 spec.http[0].rewrite.uri', 'WEFT0432 spec.http[0].rewrite.authority'],
  ],
  [
    'wants a redirect that fits into a header',
    '{redirect: {uri: "/a\\r\\nb", authority: "a b"}}',
    ['WEFT0410 spec.http[0].redirect.uri', 'WEFT0432 spec.http[0].redirect.authority'],
  ],
  [
    'wants a name of a query parameter',
    `{match: [{queryParams: {'': {exact: a}}}], ${route}}`,
    ['WEFT0442 spec.http[0].match[0].queryParams[""]'],
  ],
  [
    'wants a per cent sign written twice where no operator is meant',
    `{${route}, headers: {response: {set: {a: '100%', b: '100%%', c: '%REQ(x)%', d: '%START_TIME(%s)%'}}}}`,
    ['WEFT0434 spec.http[0].headers.response.set.a'],
  ],
  [
    'wants no body where the status has none',
    '{directResponse: {status: 204, body: {string: a}}}',
    ['WEFT0430 spec.http[0].directResponse.body'],
  ],
  [
    'wants bytes in base64',
    "{directResponse: {status: 200, body: {bytes: '***'}}}",
    ['WEFT0410 spec.http[0].directResponse.body.bytes'],
  ],
  [
    'wants bytes that are text',
    "{directResponse: {status: 200, body: {bytes: '/w=='}}}",
    ['WEFT0410 spec.http[0].directResponse.body.bytes'],
  ],
  ['takes bytes', "{directResponse: {status: 200, body: {bytes: 'aGFsbG8='}}}", []],
  ['takes bytes in several lines', '{directResponse: {status: 200, body: {bytes: "aGFs\\nbG8\\n"}}}', []],
  [
    'wants a body of a mebibyte at most',
    `{directResponse: {status: 200, body: {string: ${'a'.repeat(1024 * 1024 + 1)}}}}`,
    ['WEFT0410 spec.http[0].directResponse.body'],
  ],
  ['wants a host', "{route: [{destination: {host: 'a_b/c'}}]}", ['WEFT0432 spec.http[0].route[0].destination.host']],
  [
    'wants a redirect code',
    '{redirect: {uri: /a, redirectCode: 200}}',
    ['WEFT0444 spec.http[0].redirect.redirectCode'],
  ],
  ['wants a redirect that changes something', '{redirect: {redirectCode: 301}}', ['WEFT0444 spec.http[0].redirect']],
  [
    'wants known retry conditions',
    `{${route}, retries: {attempts: 2, retryOn: '5xx,conect-failure,503'}}`,
    ['WEFT0443 spec.http[0].retries.retryOn'],
  ],
  [
    'wants a fault that does something',
    `{${route}, fault: {delay: {percentage: {value: 10}}}}`,
    ['WEFT0431 spec.http[0].fault.delay'],
  ],
  [
    'takes the older field for the share of faults',
    `{${route}, fault: {delay: {percent: 50, fixedDelay: 1s}, abort: {percent: 50, httpStatus: 500}}}`,
    ['WEFT0417 spec.http[0].fault.delay.percent', 'WEFT0417 spec.http[0].fault.abort.percent'],
  ],
  [
    'says that a fault without a share is for no request',
    `{${route}, fault: {delay: {fixedDelay: 1s}, abort: {httpStatus: 500}}}`,
    ['WEFT0505 spec.http[0].fault.delay', 'WEFT0505 spec.http[0].fault.abort'],
  ],
  [
    'wants no settings of retries that are turned off',
    `{${route}, retries: {attempts: 0, retryOn: 5xx, perTryTimeout: 1s}}`,
    ['WEFT0430 spec.http[0].retries'],
  ],
  [
    'takes what Istio takes of retries that are turned off',
    `{${route}, retries: {attempts: 0, backoff: 1s, retryIgnorePreviousHosts: true}}`,
    [],
  ],
  ['wants the number of retries', `{${route}, retries: {perTryTimeout: 1s}}`, ['WEFT0430 spec.http[0].retries']],
  [
    'wants a gRPC status',
    `{${route}, fault: {abort: {percentage: {value: 1}, grpcStatus: UNAVAILABL}}}`,
    ['WEFT0442 spec.http[0].fault.abort.grpcStatus'],
  ],
  [
    'wants headers that can be changed',
    `{${route}, headers: {request: {set: {':path': /a}, remove: [host]}}}`,
    ['WEFT0434 spec.http[0].headers.request.set[":path"]', 'WEFT0434 spec.http[0].headers.request.remove[0]'],
  ],
  [
    'wants operators that there are in header values',
    `{${route}, headers: {request: {set: {a: '%REQ(:PATH)% %% %PROTOCOL%', b: '%PROTOCOLL%'}}}}`,
    ['WEFT0434 spec.http[0].headers.request.set.b'],
  ],
  [
    'wants arguments of operators that the proxy understands',
    `{${route}, headers: {request: {set: {a: '%REQ()%', b: '%PROTOCOL(x)%', c: '%START_TIME(%Q)%', d: '%METADATA(HOST:a:b)%', e: '%GRPC_STATUS(NUMBER)%', f: '%START_TIME(%Y/%m/%dT%H:%M:%S.%3f)%', g: '%REQ(A?B):8%'}}}}`,
    ['a', 'b', 'c', 'd'].map((name) => `WEFT0434 spec.http[0].headers.request.set.${name}`),
  ],
  [
    'takes a policy for other origins',
    `{${route}, corsPolicy: {allowOrigins: [{prefix: 'https://a.'}], allowMethods: [GET, '*'], allowHeaders: [x-a], maxAge: 24h}}`,
    [],
  ],
  [
    'wants a policy for other origins that allows something',
    `{${route}, corsPolicy: {allowOrigins: [{}], allowMethods: ['G T'], exposeHeaders: ['a b']}}`,
    [
      'WEFT0431 spec.http[0].corsPolicy.allowOrigins[0]',
      'WEFT0442 spec.http[0].corsPolicy.allowMethods[0]',
      'WEFT0434 spec.http[0].corsPolicy.exposeHeaders[0]',
    ],
  ],
  ['wants origins at all', `{${route}, corsPolicy: {}}`, ['WEFT0431 spec.http[0].corsPolicy']],
  [
    'takes the older field for origins, not both',
    `{${route}, corsPolicy: {allowOrigin: [a], allowOrigins: [{regex: '('}]}}`,
    [
      'WEFT0417 spec.http[0].corsPolicy.allowOrigin',
      'WEFT0430 spec.http[0].corsPolicy',
      'WEFT0433 spec.http[0].corsPolicy.allowOrigins[0].regex',
    ],
  ],
  [
    'warns of any site that acts for its visitors',
    `{${route}, corsPolicy: {allowOrigins: [{exact: '*'}], allowCredentials: true}}`,
    ['WEFT0861 spec.http[0].corsPolicy.allowCredentials'],
  ],
  [
    'refuses what is not carried out',
    `{${route}, mirror: {host: b}, match: [{statPrefix: x}]}`,
    ['WEFT0415 spec.http[0].mirror', 'WEFT0416 spec.http[0].match[0].statPrefix'],
  ],
];

describe('VirtualService', () => {
  for (const [name, rule, expected] of rules) {
    it(name, () => assert.deepEqual(findings(`hosts: [reviews]\nhttp: [${rule}]`), expected));
  }

  it('wants hosts and routes', () => {
    assert.deepEqual(findings('hosts: [a]'), ['WEFT0431 spec']);
    assert.deepEqual(findings(`http: [{${route}}]`), ['WEFT0431 spec.hosts']);
    assert.deepEqual(findings(`hosts: ['a..b', x, x]\nhttp: [{${route}}]`), [
      'WEFT0432 spec.hosts[0]',
      'WEFT0441 spec.hosts[2]',
    ]);
  });

  it('leaves the host * to gateways', () => {
    assert.deepEqual(findings(`hosts: ['*']\nhttp: [{${route}}]`), ['WEFT0432 spec.hosts[0]']);
    assert.deepEqual(findings(`hosts: ['*']\ngateways: [g]\nhttp: [{${route}}]`), []);
  });

  it('finds routes that are never reached', () => {
    const cases: readonly (readonly [string, readonly string[]])[] = [
      [`[{${route}}, {match: [{uri: {exact: /a}}], ${route}}]`, ['WEFT0439 spec.http[1]']],
      [`[{match: [{uri: {prefix: /}}], ${route}}, {${route}}]`, ['WEFT0439 spec.http[1]']],
      [
        `[{match: [{uri: {prefix: /a}}], ${route}}, {match: [{uri: {exact: /ab}, headers: {x: {exact: y}}}], ${route}}]`,
        ['WEFT0439 spec.http[1]'],
      ],
      [
        `[{match: [{uri: {prefix: /a}}], ${route}}, {match: [{uri: {exact: /ab}}, {uri: {exact: /b}}], ${route}}]`,
        ['WEFT0440 spec.http[1].match[0]'],
      ],
      [
        `[{match: [{uri: {prefix: /a}}, {uri: {prefix: /a}, method: {exact: GET}}], ${route}}, {${route}}]`,
        ['WEFT0440 spec.http[0].match[1]'],
      ],
      [`[{match: [{headers: {end-user: {exact: jason}}}], ${route}}, {${route}}]`, []],
      [`[{match: [{uri: {prefix: /a}, port: 80}], ${route}}, {match: [{uri: {prefix: /a}}], ${route}}]`, []],
      [`[{match: [{uri: {exact: /A}}], ${route}}, {match: [{uri: {exact: /a}, ignoreUriCase: true}], ${route}}]`, []],
      [`[{match: [{withoutHeaders: {x: {}}}], ${route}}, {match: [{uri: {exact: /a}}], ${route}}]`, []],
      [`[{match: [{gateways: [g]}], ${route}}, {${route}}]`, []],
    ];
    for (const [http, expected] of cases) assert.deepEqual(findings(`hosts: [reviews]\nhttp: ${http}`), expected, http);
  });

  it('wants server names that are its own in tls routes', () => {
    const tls = (sni: string) =>
      `hosts: ['*.example.com']\ngateways: [g]\ntls: [{match: [{sniHosts: ['${sni}']}], ${route}}]`;
    assert.deepEqual(findings(tls('a.example.com')), []);
    assert.deepEqual(findings(tls('a.example.org')), ['WEFT0432 spec.tls[0].match[0].sniHosts[0]']);
  });
});
