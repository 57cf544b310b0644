// How resources fit together: each finding has a world in which it shows, and one in which it does not.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { makeSampleCertificate } from '@weft/lib/x509/sample-certificate';
import { checkText, shortForm } from './test-findings.ts';

/** A service with two workloads, v1 and v2. */
const reviews = `
apiVersion: v1
kind: Service
metadata: {name: reviews}
spec: {ports: [{name: http, port: 9080}], selector: {app: reviews}}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: reviews-v1}
spec: {address: 127.0.0.1, ports: {http: 9080}, labels: {app: reviews, version: v1}}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: reviews-v2}
spec: {address: 127.0.0.1, ports: {http: 9081}, labels: {app: reviews, version: v2}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews}
spec: {host: reviews, subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]}
`;

function virtualService(name: string, spec: string, namespace = 'default'): string {
  return `---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: ${name}, namespace: ${namespace}}\nspec: {${spec}}\n`;
}

function resource(apiVersion: string, kind: string, name: string, spec: string, namespace = 'default'): string {
  return `---\napiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: ${name}, namespace: ${namespace}}\nspec: ${spec}\n`;
}

const rule = (name: string, spec: string, namespace?: string) =>
  resource('networking.istio.io/v1', 'DestinationRule', name, spec, namespace);
const gateway = (name: string, spec: string, namespace?: string) =>
  resource('networking.istio.io/v1', 'Gateway', name, spec, namespace);
const to = (destination: string) => `http: [{route: [{destination: ${destination}}]}]`;

/** Name, documents beside `reviews`, expected findings. */
const cases: readonly (readonly [string, string, readonly string[]])[] = [
  [
    'finds nothing in a world that fits together',
    virtualService('a', `hosts: [reviews], ${to('{host: reviews, subset: v2}')}`),
    [],
  ],
  [
    'misses a host',
    virtualService('a', `hosts: [reviews], ${to('{host: review}')}`),
    ['WEFT0481 spec.http[0].route[0].destination.host'],
  ],
  [
    'misses a host of routes for sidecars',
    virtualService('a', `hosts: [reviewz], ${to('{host: reviews}')}`),
    ['WEFT0481 spec.hosts[0]'],
  ],
  [
    'misses a subset',
    virtualService('a', `hosts: [reviews], ${to('{host: reviews, subset: v3}')}`),
    ['WEFT0482 spec.http[0].route[0].destination.subset'],
  ],
  [
    'misses a port',
    virtualService('a', `hosts: [reviews], ${to('{host: reviews, port: {number: 80}}')}`),
    ['WEFT0483 spec.http[0].route[0].destination.port.number'],
  ],
  [
    'misses a gateway',
    virtualService('a', `hosts: [a.com], gateways: [gone, other/gone], ${to('{host: reviews}')}`),
    ['WEFT0480 spec.gateways[0]', 'WEFT0480 spec.gateways[1]'],
  ],
  [
    'notes a host of another namespace',
    virtualService(
      'a',
      `hosts: [reviews.default.svc.cluster.local], ${to('{host: reviews.default.svc.cluster.local}')}`,
      'other',
    ),
    ['WEFT0485 spec.hosts[0]'],
  ],
  [
    'lets the older of two VirtualServices have a host',
    virtualService('a', `hosts: [reviews], ${to('{host: reviews}')}`) +
      virtualService('b', `hosts: [reviews], ${to('{host: reviews}')}`),
    ['WEFT0486 spec.hosts[0]'],
  ],
  [
    'lets VirtualServices share a host at gateways',
    gateway('g', '{selector: {a: b}, servers: [{port: {number: 80, name: h, protocol: HTTP}, hosts: ["*"]}]}') +
      virtualService('a', `hosts: [a.com], gateways: [g], ${to('{host: reviews}')}`) +
      virtualService('b', `hosts: [a.com], gateways: [g], ${to('{host: reviews}')}`),
    [],
  ],
  [
    'notes a host that the gateway does not have',
    gateway(
      'g',
      '{selector: {a: b}, servers: [{port: {number: 80, name: h, protocol: HTTP}, hosts: ["*.a.com", "other/b.com"]}]}',
    ) + virtualService('a', `hosts: [x.a.com, b.com], gateways: [g], ${to('{host: reviews}')}`),
    ['WEFT0494 spec.hosts[1]'],
  ],
  [
    'wants a port where there are several',
    resource('v1', 'Service', 'two', '{ports: [{name: http, port: 80}, {name: tcp, port: 81}]}') +
      virtualService('a', `hosts: [two], ${to('{host: two}')}`),
    ['WEFT0484 spec.http[0].route[0].destination'],
  ],
  [
    'says what is not exported',
    resource(
      'networking.istio.io/v1',
      'ServiceEntry',
      'se',
      '{hosts: [a.com], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS, exportTo: [.]}',
      'other',
    ) + virtualService('a', `hosts: [reviews], ${to('{host: a.com}')}`),
    ['WEFT0501 spec.http[0].route[0].destination.host'],
  ],
  [
    'takes a wildcard ServiceEntry for a host',
    resource(
      'networking.istio.io/v1',
      'ServiceEntry',
      'se',
      '{hosts: ["*.a.com"], ports: [{number: 80, name: http, protocol: HTTP}]}',
    ) + virtualService('a', `hosts: [reviews], ${to('{host: x.a.com}')}`),
    [],
  ],
  [
    'notes an empty subset',
    rule('b', '{host: reviews, subsets: [{name: v3, labels: {version: v3}}]}'),
    ['WEFT0487 spec.host', 'WEFT0488 spec.subsets[0]'],
  ],
  [
    'misses the host and port of a DestinationRule',
    rule('b', '{host: gone}') +
      rule('c', '{host: reviews, trafficPolicy: {portLevelSettings: [{port: {number: 80}}]}}', 'istio-system'),
    ['WEFT0481 spec.host', 'WEFT0481 spec.host'],
  ],
  [
    'misses a port of a DestinationRule',
    rule(
      'b',
      '{host: reviews.default.svc.cluster.local, trafficPolicy: {portLevelSettings: [{port: {number: 80}}]}}',
      'istio-system',
    ),
    ['WEFT0483 spec.trafficPolicy.portLevelSettings[0].port.number'],
  ],
  [
    'notes a service without workloads',
    resource('v1', 'Service', 'empty', '{ports: [{name: http, port: 80}], selector: {app: empty}}'),
    ['WEFT0490 spec.selector'],
  ],
  [
    'notes two services of one host',
    resource(
      'networking.istio.io/v1',
      'ServiceEntry',
      'se',
      '{hosts: [reviews.default.svc.cluster.local], ports: [{number: 80, name: http, protocol: HTTP}]}',
    ),
    ['WEFT0500 spec.hosts[0]'],
  ],
  [
    'notes a selector that fits nothing',
    resource('security.istio.io/v1', 'PeerAuthentication', 'p', '{selector: {matchLabels: {app: gone}}}') +
      resource('security.istio.io/v1', 'AuthorizationPolicy', 'p', '{selector: {matchLabels: {app: gone}}}'),
    ['WEFT0489 spec.selector', 'WEFT0489 spec.selector'],
  ],
  [
    'selects in the whole mesh from the root namespace',
    resource(
      'security.istio.io/v1',
      'AuthorizationPolicy',
      'p',
      '{selector: {matchLabels: {app: reviews}}}',
      'istio-system',
    ),
    [],
  ],
  [
    'notes a port that no workload has',
    resource(
      'security.istio.io/v1',
      'PeerAuthentication',
      'p',
      '{selector: {matchLabels: {app: reviews}}, portLevelMtls: {9080: {mode: DISABLE}, 70: {mode: DISABLE}}}',
    ),
    ['WEFT0493 spec.portLevelMtls["70"]'],
  ],
  [
    'notes two policies of one scope',
    resource('security.istio.io/v1', 'PeerAuthentication', 'p', '{mtls: {mode: STRICT}}') +
      resource('security.istio.io/v1', 'PeerAuthentication', 'q', '{mtls: {mode: DISABLE}}'),
    ['WEFT0497'],
  ],
  [
    'finds plain text towards a host that demands TLS',
    resource('security.istio.io/v1', 'PeerAuthentication', 'p', '{mtls: {mode: STRICT}}') +
      rule('b', '{host: reviews.default.svc.cluster.local, trafficPolicy: {tls: {mode: DISABLE}}}', 'istio-system'),
    ['WEFT0498 spec.trafficPolicy.tls'],
  ],
  [
    'notes a namespace in which nothing runs',
    resource(
      'security.istio.io/v1',
      'AuthorizationPolicy',
      'p',
      '{rules: [{from: [{source: {namespaces: [default, defualt, "x*"]}}]}]}',
    ),
    ['WEFT0499 spec.rules[0].from[0].source.namespaces[1]'],
  ],
  [
    'notes an HTTP condition where only TCP is served',
    resource('v1', 'Service', 'db', '{ports: [{name: tcp-db, port: 5432}], selector: {app: db}}') +
      resource('networking.istio.io/v1', 'WorkloadEntry', 'db', '{address: 127.0.0.1, labels: {app: db}}') +
      resource(
        'security.istio.io/v1',
        'AuthorizationPolicy',
        'p',
        '{selector: {matchLabels: {app: db}}, rules: [{to: [{operation: {methods: [GET]}}]}]}',
      ),
    ['WEFT0455 spec.rules[0]'],
  ],
  [
    'misses a secret',
    gateway(
      'g',
      '{selector: {a: b}, servers: [{port: {number: 443, name: h, protocol: HTTPS}, hosts: [a.com], tls: {mode: SIMPLE, credentialName: gone}}]}',
    ),
    ['WEFT0491 spec.servers[0].tls.credentialName'],
  ],
  [
    'lets the older of two gateways have a TLS host, and a port one protocol',
    gateway(
      'g',
      '{selector: {a: b}, servers: [{port: {number: 443, name: h, protocol: TLS}, hosts: [a.com], tls: {mode: PASSTHROUGH}}, {port: {number: 80, name: h, protocol: HTTP}, hosts: [a.com]}]}',
    ) +
      gateway(
        'h',
        '{selector: {a: b}, servers: [{port: {number: 443, name: h, protocol: TLS}, hosts: ["*.com"], tls: {mode: PASSTHROUGH}}, {port: {number: 80, name: h, protocol: TCP}, hosts: [b.com]}]}',
      ),
    ['WEFT0495 spec.servers[0].hosts', 'WEFT0496 spec.servers[1].port'],
  ],
  [
    'wants a TLS server for TLS routes',
    gateway(
      'g',
      '{selector: {a: b}, servers: [{port: {number: 80, name: h, protocol: HTTP}, hosts: [a.com], tls: {httpsRedirect: true}}]}',
    ) +
      virtualService(
        'a',
        'hosts: [a.com], gateways: [g], tls: [{match: [{sniHosts: [a.com]}], route: [{destination: {host: reviews}}]}]',
      ),
    ['WEFT0502 spec.tls'],
  ],
];

describe('checkWorld', () => {
  for (const [name, text, expected] of cases)
    it(name, () => assert.deepEqual(shortForm(checkText(reviews + text)), expected));

  it('suggests what was probably meant', () => {
    const messages = (text: string) =>
      checkText(reviews + text)
        .map((issue) => issue.message)
        .join('\n');
    assert.match(
      messages(virtualService('a', `hosts: [reviews], ${to('{host: reviews.default}')}`)),
      /Write reviews\.default\.svc\.cluster\.local\./,
    );
    assert.match(
      messages(virtualService('a', `hosts: [reviews], ${to('{host: revews}')}`)),
      /Did you mean reviews\.default\.svc\.cluster\.local\?/,
    );
  });

  it('names file and line of the field', () => {
    const [issue] = checkText(`${reviews}${virtualService('a', `hosts: [reviews], ${to('{host: gone}')}`)}`);
    assert.equal(issue?.origin?.file, 'test.yaml');
    assert.equal(issue?.origin?.line, 25);
  });

  it('knows the proxies that are connected', () => {
    const text = gateway(
      'g',
      '{selector: {istio: ingressgateway}, servers: [{port: {number: 80, name: h, protocol: HTTP}, hosts: ["*"]}]}',
    );
    const proxies = (label: string) => ({ proxies: [{ namespace: 'default', labels: { istio: label } }] });
    assert.deepEqual(shortForm(checkText(text, proxies('egressgateway'))), ['WEFT0489 spec.selector']);
    assert.deepEqual(checkText(text, proxies('ingressgateway')), []);
  });

  it("takes the number of a service for a workload's port only where processes of the local mesh are meant", () => {
    const text = (workload: string) =>
      resource('v1', 'Service', 'shop', '{selector: {app: shop}, ports: [{port: 80, targetPort: 8080, name: http}]}') +
      workload +
      resource(
        'security.istio.io/v1',
        'PeerAuthentication',
        'p',
        '{selector: {matchLabels: {app: shop}}, portLevelMtls: {80: {mode: DISABLE}, 8080: {mode: DISABLE}}}',
      );
    const entry = resource('networking.istio.io/v1', 'WorkloadEntry', 'w', '{address: 10.0.0.1, labels: {app: shop}}');
    assert.deepEqual(shortForm(checkText(text(entry))), ['WEFT0493 spec.portLevelMtls["80"]']);
    const process = entry.replace('name: w', 'name: w, annotations: {weft.dev/process: shop}');
    assert.deepEqual(checkText(text(process)), []);
  });

  it('warns of a certificate whose time is over or has not come', () => {
    const secret = (notBeforeMs: number, notAfterMs: number) => {
      const { pem, keyPem } = makeSampleCertificate({ notBeforeMs, notAfterMs });
      return `apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ntype: kubernetes.io/tls\nstringData: ${JSON.stringify({ 'tls.crt': pem, 'tls.key': keyPem })}\n`;
    };
    const year = (number: number) => Date.UTC(number, 0, 1);
    assert.deepEqual(shortForm(checkText(secret(year(2020), year(2021)))), ['WEFT0450 data']);
    assert.deepEqual(shortForm(checkText(secret(year(2030), year(2031)))), ['WEFT0450 data']);
    assert.deepEqual(checkText(secret(year(2020), year(2031))), []);
  });

  it('finds a credential where the proxies of a gateway look: in their namespace, else in that of the gateway', () => {
    const { pem, keyPem } = makeSampleCertificate();
    const text = (namespace: string) =>
      `apiVersion: v1\nkind: Secret\nmetadata: {name: c, namespace: ${namespace}}\nstringData: ${JSON.stringify({ 'tls.crt': pem, 'tls.key': keyPem })}\n` +
      gateway(
        'g',
        '{selector: {istio: ingressgateway}, servers: [{port: {number: 443, name: h, protocol: HTTPS}, hosts: [a.com], tls: {mode: SIMPLE, credentialName: c}}]}',
      );
    const proxies = [{ namespace: 'istio-system', labels: { istio: 'ingressgateway' } }];
    assert.deepEqual(checkText(text('istio-system'), { proxies }), []);
    assert.deepEqual(checkText(text('default'), { proxies }), []);
    assert.deepEqual(checkText(text('istio-system')), []);
    assert.deepEqual(shortForm(checkText(text('other'), { proxies })), ['WEFT0491 spec.servers[0].tls.credentialName']);
    const elsewhere = [{ namespace: 'edge', labels: { istio: 'ingressgateway' } }];
    assert.deepEqual(checkText(text('edge'), { proxies: elsewhere }), []);
    const [refused] = checkText(text('default'), { proxies: elsewhere });
    assert.equal(refused?.code, 'WEFT0491');
    assert.match(refused?.message ?? '', /^There is no Secret edge\/c, .* Secret default\/c does not count/);
  });

  it('says what a credential lacks', () => {
    const { pem, keyPem } = makeSampleCertificate();
    const tls = (mode: string) =>
      gateway(
        'g',
        `{selector: {a: b}, servers: [{port: {number: 443, name: h, protocol: HTTPS}, hosts: [a.com], tls: {mode: ${mode}, credentialName: c}}]}`,
      );
    const secret = (name: string, data: object) =>
      `---\napiVersion: v1\nkind: Secret\nmetadata: {name: ${name}}\nstringData: ${JSON.stringify(data)}\n`;
    const pair = { 'tls.crt': pem, 'tls.key': keyPem };
    assert.deepEqual(checkText(tls('SIMPLE') + secret('c', pair)), []);
    assert.deepEqual(shortForm(checkText(tls('SIMPLE') + secret('c', { 'ca.crt': pem }))), [
      'WEFT0492 spec.servers[0].tls.credentialName',
    ]);
    assert.deepEqual(shortForm(checkText(tls('MUTUAL') + secret('c', pair))), [
      'WEFT0492 spec.servers[0].tls.credentialName',
    ]);
    assert.deepEqual(checkText(tls('MUTUAL') + secret('c', { ...pair, 'ca.crt': pem })), []);
    assert.deepEqual(checkText(tls('MUTUAL') + secret('c', pair) + secret('c-cacert', { 'ca.crt': pem })), []);
  });

  it('finds plain text towards hosts of a mesh that demands TLS by default, unless a policy lets it be', () => {
    const host = 'reviews.default.svc.cluster.local';
    const plain = rule('b', `{host: ${host}, trafficPolicy: {tls: {mode: DISABLE}}}`, 'istio-system');
    const permissive = resource('security.istio.io/v1', 'PeerAuthentication', 'p', '{mtls: {mode: PERMISSIVE}}');
    const strict = { mutualTls: 'STRICT' } as const;
    const [found, ...more] = checkText(reviews + plain, strict);
    assert.equal(found?.code, 'WEFT0498');
    assert.match(found?.message ?? '', /the default of this mesh/);
    assert.deepEqual(more, []);
    assert.deepEqual(checkText(reviews + plain + permissive, strict), []);
  });
});
