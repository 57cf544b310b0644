// What the other kinds say, each seen alone: one line a case.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { makeSampleCertificate } from '@weft/lib/x509/sample-certificate';
import { parseResource } from './parse-resource.ts';
import { shortForm, specFindings } from './test-findings.ts';

type Case = readonly [string, readonly string[]];

function check(kind: string, group: string, cases: readonly Case[]): void {
  describe(kind, () => {
    for (const [spec, expected] of cases) {
      it(`${spec} gives ${expected.join(', ') || 'no finding'}`, () =>
        assert.deepEqual(specFindings(kind, spec, group), expected));
    }
  });
}

check('DestinationRule', 'networking.istio.io/v1', [
  ['{host: reviews, subsets: [{name: v1, labels: {version: v1}}]}', []],
  ['{host: "a b"}', ['WEFT0432 spec.host']],
  ['{host: a, subsets: [{name: v1}, {name: v1}]}', ['WEFT0441 spec.subsets[1].name']],
  ['{host: a, subsets: [{name: "v 1"}]}', ['WEFT0442 spec.subsets[0].name']],
  [
    '{host: a, trafficPolicy: {loadBalancer: {simple: RANDOM, consistentHash: {useSourceIp: true}}}}',
    ['WEFT0430 spec.trafficPolicy.loadBalancer'],
  ],
  [
    '{host: a, trafficPolicy: {loadBalancer: {consistentHash: {}}}}',
    ['WEFT0431 spec.trafficPolicy.loadBalancer.consistentHash'],
  ],
  [
    '{host: a, trafficPolicy: {loadBalancer: {consistentHash: {useSourceIp: true, maglev: {tableSize: 100}}}}}',
    ['WEFT0410 spec.trafficPolicy.loadBalancer.consistentHash.maglev.tableSize'],
  ],
  [
    '{host: a, trafficPolicy: {loadBalancer: {consistentHash: {httpHeaderName: "a b", ringHash: {minimumRingSize: 8388609}}}}}',
    [
      'WEFT0410 spec.trafficPolicy.loadBalancer.consistentHash.ringHash.minimumRingSize',
      'WEFT0434 spec.trafficPolicy.loadBalancer.consistentHash.httpHeaderName',
    ],
  ],
  [
    '{host: a, trafficPolicy: {outlierDetection: {interval: 0s}}}',
    ['WEFT0436 spec.trafficPolicy.outlierDetection.interval'],
  ],
  [
    '{host: a, trafficPolicy: {portLevelSettings: [{port: {number: 80}}, {port: {number: 80}}, {}]}}',
    [
      'WEFT0441 spec.trafficPolicy.portLevelSettings[1].port.number',
      'WEFT0431 spec.trafficPolicy.portLevelSettings[2].port',
    ],
  ],
  [
    '{host: a, trafficPolicy: {tls: {mode: MUTUAL}}}',
    ['WEFT0445 spec.trafficPolicy.tls', 'WEFT0445 spec.trafficPolicy.tls'],
  ],
  ['{host: a, trafficPolicy: {tls: {mode: ISTIO_MUTUAL, privateKey: /k}}}', ['WEFT0430 spec.trafficPolicy.tls']],
  [
    '{host: a, trafficPolicy: {tls: {mode: SIMPLE, insecureSkipVerify: true}}}',
    ['WEFT0458 spec.trafficPolicy.tls.insecureSkipVerify'],
  ],
  [
    '{host: a, subsets: [{name: v1, trafficPolicy: {portLevelSettings: [{port: {number: 1}, loadBalancer: {warmup: {duration: 1s}}}]}}]}',
    ['WEFT0415 spec.subsets[0].trafficPolicy.portLevelSettings[0].loadBalancer.warmup'],
  ],
  ['{host: a, trafficPolicy: {loadBalancer: {localityLbSetting: {enabled: false}}}}', []],
  [
    '{host: a, trafficPolicy: {loadBalancer: {localityLbSetting: {enabled: true}}}}',
    ['WEFT0415 spec.trafficPolicy.loadBalancer.localityLbSetting'],
  ],
]);

const http = 'port: {number: 80, name: http, protocol: HTTP}';
const https = 'port: {number: 443, name: https, protocol: HTTPS}';
check('Gateway', 'networking.istio.io/v1', [
  [`{selector: {istio: ingressgateway}, servers: [{${http}, hosts: ['*']}]}`, []],
  [`{servers: [{${http}, hosts: ['*']}]}`, ['WEFT0456 spec.selector']],
  ['{selector: {a: b}}', ['WEFT0431 spec.servers']],
  [`{selector: {a: b}, servers: [{${https}, hosts: ['*']}]}`, ['WEFT0446 spec.servers[0]']],
  [`{selector: {a: b}, servers: [{${https}, hosts: ['*'], tls: {mode: SIMPLE}}]}`, ['WEFT0445 spec.servers[0].tls']],
  [`{selector: {a: b}, servers: [{${https}, hosts: ['*'], tls: {mode: SIMPLE, credentialName: c}}]}`, []],
  [
    `{selector: {a: b}, servers: [{${https}, hosts: ['*'], tls: {credentialName: c}}]}`,
    ['WEFT0430 spec.servers[0].tls'],
  ],
  [
    `{selector: {a: b}, servers: [{${https}, hosts: [a], tls: {mode: SIMPLE, credentialName: c, minProtocolVersion: TLSV1_3, maxProtocolVersion: TLSV1_2}}]}`,
    ['WEFT0430 spec.servers[0].tls'],
  ],
  [`{selector: {a: b}, servers: [{${https}, hosts: ['*'], tls: {}}]}`, []],
  [
    `{selector: {a: b}, servers: [{${https}, hosts: ['*'], tls: {serverCertificate: /c, privateKey: /k}}]}`,
    ['WEFT0430 spec.servers[0].tls'],
  ],
  [
    `{selector: {a: b}, servers: [{${https}, hosts: ['*'], tls: {mode: MUTUAL, credentialNames: [c, d]}}]}`,
    ['WEFT0445 spec.servers[0].tls'],
  ],
  [
    `{selector: {a: b}, servers: [{${https}, hosts: ['*'], tls: {mode: MUTUAL, credentialNames: [c, d], caCertCredentialName: e}}]}`,
    [],
  ],
  [
    `{selector: {a: b}, servers: [{${https}, hosts: ['*'], tls: {mode: SIMPLE, tlsCertificates: [{serverCertificate: /c}]}}]}`,
    ['WEFT0445 spec.servers[0].tls'],
  ],
  [
    `{selector: {a: b}, servers: [{${https}, hosts: ['*'], tls: {mode: MUTUAL, tlsCertificates: [{serverCertificate: /c, privateKey: /k}]}}]}`,
    ['WEFT0445 spec.servers[0].tls'],
  ],
  [
    `{selector: {a: b}, servers: [{port: {number: 9, name: t, protocol: TCP}, hosts: ['*'], tls: {mode: SIMPLE}}]}`,
    ['WEFT0445 spec.servers[0].tls'],
  ],
  [
    `{selector: {a: b}, servers: [{${https}, hosts: ['*'], tls: {mode: SIMPLE, credentialName: c, minProtocolVersion: TLSV1_0}}]}`,
    ['WEFT0415 spec.servers[0].tls.minProtocolVersion'],
  ],
  [
    `{selector: {a: b}, servers: [{${https}, hosts: ['*'], tls: {mode: SIMPLE, credentialName: c, cipherSuites: [ECDHE-RSA-AES128-GCM-SHA256, NONE]}}]}`,
    ['WEFT0410 spec.servers[0].tls.cipherSuites[1]'],
  ],
  [
    `{selector: {a: b}, servers: [{${https}, hosts: ['*'], tls: {mode: MUTUAL, credentialName: c, verifyCertificateHash: [zz], verifyCertificateSpki: [zz]}}]}`,
    ['WEFT0410 spec.servers[0].tls.verifyCertificateHash[0]', 'WEFT0410 spec.servers[0].tls.verifyCertificateSpki[0]'],
  ],
  [`{selector: {a: b}, servers: [{${http}, hosts: ['*'], tls: {httpsRedirect: true}}]}`, []],
  [
    `{selector: {a: b}, servers: [{${http}, hosts: ['*'], tls: {mode: SIMPLE, credentialName: c}}]}`,
    ['WEFT0446 spec.servers[0].tls'],
  ],
  [
    `{selector: {a: b}, servers: [{port: {number: 80, name: x, protocol: HTPP}, hosts: ['*']}]}`,
    ['WEFT0447 spec.servers[0].port.protocol'],
  ],
  [
    `{selector: {a: b}, servers: [{${http}, hosts: ['a/b/c', 'x y', './ok.com', '*/*.ok.com']}]}`,
    ['WEFT0432 spec.servers[0].hosts[0]', 'WEFT0432 spec.servers[0].hosts[1]'],
  ],
  [`{selector: {a: b}, servers: [{${http}, hosts: [a]}, {${http}, hosts: [a]}]}`, ['WEFT0441 spec.servers[1].hosts']],
  [
    `{selector: {a: b}, servers: [{${http}, hosts: [a]}, {port: {number: 80, name: t, protocol: TCP}, hosts: [b]}]}`,
    ['WEFT0446 spec.servers[1].port.protocol'],
  ],
]);

check('ServiceEntry', 'networking.istio.io/v1', [
  ['{hosts: [api.example.com], ports: [{number: 443, name: tls, protocol: TLS}], resolution: DNS}', []],
  ["{hosts: ['*'], ports: [{number: 80, name: http, protocol: HTTP}]}", ['WEFT0432 spec.hosts[0]']],
  ['{hosts: [a.com]}', ['WEFT0431 spec.ports']],
  [
    '{hosts: [a.com], ports: [{number: 80, name: a, protocol: HTTP}, {number: 80, name: a, protocol: HTTP}]}',
    ['WEFT0441 spec.ports[1].number', 'WEFT0441 spec.ports[1].name'],
  ],
  [
    '{hosts: [a.com], ports: [{number: 80, name: a, protocol: HTP}], resolution: STATIC}',
    ['WEFT0447 spec.ports[0].protocol'],
  ],
  [
    '{hosts: [a.com], ports: [{number: 80, name: a, protocol: HTTP}], resolution: STATIC, endpoints: [{address: b.com}]}',
    ['WEFT0435 spec.endpoints[0].address'],
  ],
  [
    '{hosts: [a.com], ports: [{number: 80, name: a, protocol: HTTP}], resolution: DNS, endpoints: [{address: b.com}]}',
    [],
  ],
  [
    '{hosts: [a.com], ports: [{number: 80, name: a, protocol: HTTP}], endpoints: [{address: 1.2.3.4}]}',
    ['WEFT0430 spec.resolution'],
  ],
  [
    '{hosts: [a.com], ports: [{number: 80, name: a, protocol: HTTP}], resolution: DNS, workloadSelector: {labels: {app: a}}}',
    ['WEFT0430 spec.workloadSelector'],
  ],
  ["{hosts: ['*.a.com'], ports: [{number: 80, name: a, protocol: HTTP}], resolution: DNS}", ['WEFT0432 spec.hosts[0]']],
  [
    '{hosts: [a.com], addresses: [10.0.0.0/8], ports: [{number: 80, name: a, protocol: HTTP}], resolution: STATIC}',
    ['WEFT0430 spec.addresses[0]'],
  ],
  [
    '{hosts: [a.com], addresses: [10.0.0.0/33], ports: [{number: 80, name: a, protocol: HTTP}]}',
    ['WEFT0435 spec.addresses[0]'],
  ],
  ['{hosts: [a.com], ports: [{number: 80, name: a, protocol: TCP}], resolution: DNS}', ['WEFT0459 spec']],
  [
    '{hosts: [a.com], ports: [{number: 80, name: a, protocol: HTTP}], resolution: DYNAMIC_DNS}',
    ['WEFT0415 spec.resolution'],
  ],
]);

check('WorkloadEntry', 'networking.istio.io/v1', [
  ['{address: 127.0.0.1, ports: {http: 80}, labels: {app: a}}', []],
  ['{labels: {app: a}}', ['WEFT0435 spec']],
  ['{address: "unix://tmp/x"}', ['WEFT0415 spec.address', 'WEFT0435 spec.address']],
  ['{address: "a b"}', ['WEFT0435 spec.address']],
  ['{address: db.example}', ['WEFT0435 spec.address']],
  ['{address: 1.1.1.1, ports: {"a b": 1}}', ['WEFT0442 spec.ports["a b"]']],
  ['{address: 1.1.1.1, locality: a/b/c/d}', ['WEFT0460 spec.locality']],
]);

check('Service', 'v1', [
  ['{ports: [{port: 80}], selector: {app: a}}', []],
  ['{selector: {app: a}}', ['WEFT0431 spec.ports']],
  ['{ports: [{port: 80}, {port: 81, name: b}]}', ['WEFT0448 spec.ports[0]']],
  [
    '{ports: [{port: 80, name: a}, {port: 80, name: a}]}',
    ['WEFT0441 spec.ports[1].name', 'WEFT0441 spec.ports[1].port'],
  ],
  ['{ports: [{port: 53, name: dns, protocol: UDP}]}', ['WEFT0416 spec.ports[0].protocol']],
  ['{type: ExternalName}', ['WEFT0431 spec']],
  ['{type: ExternalName, externalName: example.com}', []],
  ['{ports: [{port: 80, targetPort: "a b"}]}', ['WEFT0442 spec.ports[0].targetPort']],
]);

check('PeerAuthentication', 'security.istio.io/v1', [
  ['{mtls: {mode: STRICT}}', []],
  ['{mtls: {mode: Strict}}', ['WEFT0410 spec.mtls.mode']],
  ['{portLevelMtls: {8080: {mode: DISABLE}}}', ['WEFT0456 spec.portLevelMtls']],
  ['{selector: {matchLabels: {app: a}}, portLevelMtls: {http: {mode: DISABLE}}}', ['WEFT0442 spec.portLevelMtls.http']],
]);

check('AuthorizationPolicy', 'security.istio.io/v1', [
  ['{}', []],
  ['{rules: [{}]}', []],
  ['{action: DENY}', ['WEFT0431 spec.rules']],
  ['{rules: [{to: [{operation: {paths: ["/a/{*}/b/{**}", "/a/{**}/b", "{**}"]}}]}]}', []],
  [
    '{action: DENY, rules: [{to: [{operation: {paths: ["/a/{id}", "/a{*}"], notPaths: ["/{**}/{*}", "/{*}/b*"]}}]}]}',
    [
      'WEFT0410 spec.rules[0].to[0].operation.paths[0]',
      'WEFT0410 spec.rules[0].to[0].operation.paths[1]',
      'WEFT0410 spec.rules[0].to[0].operation.notPaths[0]',
      'WEFT0410 spec.rules[0].to[0].operation.notPaths[1]',
    ],
  ],
  ['{action: AUDIT, rules: [{}]}', ['WEFT0415 spec.action']],
  ['{action: CUSTOM, provider: {name: x}, rules: [{}]}', ['WEFT0415 spec.action', 'WEFT0415 spec.provider']],
  ['{rules: [{from: [{source: {principals: ["cluster.local/ns/default/sa/a"]}}]}]}', []],
  [
    '{rules: [{from: [{source: {principals: ["spiffe://cluster.local/ns/default/sa/a", "a", "a*b"]}}]}]}',
    [
      'WEFT0452 spec.rules[0].from[0].source.principals[0]',
      'WEFT0452 spec.rules[0].from[0].source.principals[1]',
      'WEFT0452 spec.rules[0].from[0].source.principals[2]',
    ],
  ],
  ['{rules: [{from: [{source: {ipBlocks: [10.0.0.0/99]}}]}]}', ['WEFT0435 spec.rules[0].from[0].source.ipBlocks[0]']],
  [
    '{rules: [{from: [{source: {requestPrincipals: ["*"]}}]}]}',
    ['WEFT0415 spec.rules[0].from[0].source.requestPrincipals'],
  ],
  [
    '{rules: [{from: [{source: {namespaces: [a], notNamespaces: [a]}}]}]}',
    ['WEFT0453 spec.rules[0].from[0].source.namespaces'],
  ],
  [
    '{rules: [{from: []}, {from: [{}]}, {to: [{operation: {ports: []}}]}]}',
    [
      'WEFT0431 spec.rules[0].from',
      'WEFT0431 spec.rules[1].from[0].source',
      'WEFT0431 spec.rules[2].to[0].operation.ports',
    ],
  ],
  [
    '{rules: [{to: [{operation: {ports: [http], methods: [get], paths: [a, "/b?c"]}}]}]}',
    [
      'WEFT0442 spec.rules[0].to[0].operation.ports[0]',
      'WEFT0453 spec.rules[0].to[0].operation.methods[0]',
      'WEFT0453 spec.rules[0].to[0].operation.paths[0]',
      'WEFT0453 spec.rules[0].to[0].operation.paths[1]',
    ],
  ],
  ['{rules: [{when: [{key: source.namespce, values: [a]}]}]}', ['WEFT0457 spec.rules[0].when[0].key']],
  [
    '{rules: [{when: [{key: "request.headers[x-a]", values: [a]}, {key: source.ip}]}]}',
    ['WEFT0431 spec.rules[0].when[1]'],
  ],
]);

check('Process', 'weft.dev/v1alpha1', [
  ['{command: [node, a.mjs], ports: [{name: http, port: 9080}], readiness: {httpGet: {path: /}}}', []],
  ['{command: []}', ['WEFT0410 spec.command']],
  ['{command: [a], readiness: {httpGet: {path: /}}}', ['WEFT0461 spec.readiness.httpGet']],
  [
    '{command: [a], ports: [{name: a, port: 80}], readiness: {httpGet: {path: /}, tcpSocket: {}}}',
    ['WEFT0461 spec.readiness'],
  ],
  [
    '{command: [a], ports: [{name: a, port: 80}], readiness: {tcpSocket: {port: 81}}}',
    ['WEFT0461 spec.readiness.tcpSocket.port'],
  ],
  ['{command: [a], replicas: 2, ports: [{name: a, port: 80, targetPort: 81}]}', ['WEFT0430 spec.ports[0].targetPort']],
  ['{command: [a], env: {1A: b, C: 1}}', ['WEFT0410 spec.env["1A"]', 'WEFT0408 spec.env.C']],
]);

describe('Secret', () => {
  const mine = makeSampleCertificate({ commonName: 'mine' });
  const other = makeSampleCertificate({ commonName: 'other' });
  const findings = (type: string, stringData: Record<string, string>) =>
    shortForm(
      parseResource(
        { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' }, type, stringData },
        { positions: null, defaultNamespace: 'default' },
      ).issues,
    );

  it('takes a key pair whose halves belong together, under either set of names', () => {
    assert.deepEqual(
      findings('kubernetes.io/tls', { 'tls.crt': mine.pem, 'tls.key': mine.keyPem, 'ca.crt': other.pem }),
      [],
    );
    assert.deepEqual(findings('Opaque', { cert: mine.pem, key: mine.keyPem }), []);
  });

  it('refuses a foreign key, broken PEM and missing halves, and never shows what it holds', () => {
    assert.deepEqual(findings('kubernetes.io/tls', { 'tls.crt': mine.pem, 'tls.key': other.keyPem }), [
      'WEFT0449 data',
    ]);
    assert.deepEqual(findings('kubernetes.io/tls', { 'tls.crt': 'x', 'tls.key': mine.keyPem }), ['WEFT0449 data']);
    assert.deepEqual(findings('kubernetes.io/tls', { 'tls.crt': mine.pem }), ['WEFT0449 data["tls.key"]']);
    const { issues } = parseResource(
      {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 's' },
        stringData: { key: 'hush-hush', cert: 'hush-hush' },
      },
      { positions: null, defaultNamespace: 'default' },
    );
    assert.ok(issues.length > 0 && !JSON.stringify(issues).includes('hush'));
  });

  it('notes a type that nothing uses', () => {
    assert.deepEqual(findings('bootstrap.kubernetes.io/token', { a: 'b' }), ['WEFT0451 type']);
  });
});
