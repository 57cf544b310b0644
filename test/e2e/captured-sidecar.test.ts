// A sidecar that is captured and gets everything from the control plane: mutual TLS, routes and policies without the workload knowing.

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { CertificateAuthority } from '@weft/control-plane/ca/certificate-authority';
import { makeRoot } from '@weft/control-plane/ca/root-certificate';
import { systemClock } from '@weft/lib/clock';
import { formatPem } from '@weft/lib/x509/pem';
import { adminPort } from './capture-bootstrap.ts';
import { outside, Scene, service, weftProxy, whyNot, workload } from './capture-scene.ts';
import { whyNoRules } from './network-namespace.ts';

const skip = whyNot ?? whyNoRules('nft') ?? false;
if (skip !== false) console.log(`skipped: a captured sidecar end to end: ${skip}`);

const controlPlane = fileURLToPath(new URL('./capture-control-plane.ts', import.meta.url));

const mesh = (mode: string): string => `
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { clusterIP: ${service}, ports: [{ name: http, port: 80, targetPort: 9090 }, { name: tcp, port: 5432, targetPort: 9090 }], selector: { app: web } }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: web-1 }
spec: { address: ${workload.v4}, labels: { app: web, security.istio.io/tlsMode: istio }, serviceAccount: web }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: web }
spec:
  hosts: [web]
  http:
    - match: [{ uri: { prefix: /old } }]
      directResponse: { status: 410 }
    - route: [{ destination: { host: web } }]
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default }
spec: { mtls: { mode: ${mode} } }
`;

/** Certificates as its own part of the proxy would have them from the control plane. */
async function secrets(): Promise<object[]> {
  const { certificateDer, keyPem } = await makeRoot('cluster.local', Date.now());
  const root = formatPem('CERTIFICATE', certificateDer);
  const files = { certificate: root, key: keyPem, chain: '', root };
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const authority = new CertificateAuthority(files, { clock: systemClock, trustDomain: 'cluster.local' });
  const { pem } = await authority.issue({
    id: { trustDomain: 'cluster.local', namespace: 'default', serviceAccount: 'web' },
    publicKeyDer: publicKey.export({ type: 'spki', format: 'der' }),
    ttlMs: null,
  });
  const key = String(privateKey.export({ type: 'pkcs8', format: 'pem' }));
  return [
    {
      name: 'default',
      tls_certificate: { certificate_chain: { inline_string: pem }, private_key: { inline_string: key } },
    },
    { name: 'ROOTCA', validation_context: { trusted_ca: { inline_string: root } } },
  ];
}

function bootstrap(adsPort: number, mode: string, own: readonly object[]): object {
  const address = (host: string, port: number) => ({ socket_address: { address: host, port_value: port } });
  const ads = { ads: {}, resource_api_version: 'V3' };
  const options = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
  const endpoint = { address: address(outside.v4, adsPort) };
  return {
    node: {
      id: `sidecar~${workload.v4}~web-1.default~default.svc.cluster.local`,
      cluster: 'web',
      metadata: {
        LABELS: { app: 'web' },
        SERVICE_ACCOUNT: 'web',
        INSTANCE_IPS: `${workload.v4},${workload.v6}`,
        INTERCEPTION_MODE: mode,
      },
    },
    admin: { address: address('127.0.0.1', adminPort) },
    dynamic_resources: {
      ads_config: {
        api_type: 'DELTA_GRPC',
        transport_api_version: 'V3',
        grpc_services: [{ envoy_grpc: { cluster_name: 'xds-grpc' } }],
      },
      cds_config: ads,
      lds_config: ads,
    },
    static_resources: {
      secrets: own,
      clusters: [
        {
          name: 'xds-grpc',
          type: 'STATIC',
          typed_extension_protocol_options: {
            [options]: {
              '@type': `type.googleapis.com/${options}`,
              explicit_http_config: { http2_protocol_options: {} },
            },
          },
          load_assignment: { cluster_name: 'xds-grpc', endpoints: [{ lb_endpoints: [{ endpoint }] }] },
        },
      ],
    },
  };
}

/** A captured workload under a control plane in the world outside. */
function sidecar(context: TestContext, mutualTls: string, mode: 'redirect' | 'tproxy'): Promise<Scene> {
  return Scene.make(context, { mode, program: weftProxy }, async (logPath, scene) => {
    const file = join(logPath, '../mesh.yaml');
    writeFileSync(file, mesh(mutualTls));
    const adsPort = Number(await scene.startOutside(context, [controlPlane, outside.v4, file]));
    return bootstrap(adsPort, mode.toUpperCase(), await secrets());
  });
}

describe('a captured sidecar', { skip }, () => {
  for (const mode of ['redirect', 'tproxy'] as const) {
    test(`is called by mutual TLS only where that is strict (${mode})`, async (context) => {
      const scene = await sidecar(context, 'STRICT', mode);
      scene.install({ backend: 'nft', mode });
      const [http, tcp, routed, elsewhere, itself] = scene.get(
        'inside',
        `http://${service}/`,
        `http://${service}:5432/`,
        `http://${service}/old`,
        `http://[${outside.v6}]:8080/`,
        `http://${workload.v4}:9090/`,
      );
      assert.match(http?.caller ?? '', /URI=spiffe:\/\/cluster\.local\/ns\/default\/sa\/web/);
      assert.deepEqual([http?.status, http?.server, http?.local, http?.remote], [200, 'app', workload.v4, '127.0.0.6']);
      assert.deepEqual([tcp?.status, tcp?.server, tcp?.remote], [200, 'app', '127.0.0.6']);
      assert.equal(routed?.status, 410, 'the route of its VirtualService');
      assert.deepEqual([elsewhere?.status, elsewhere?.server], [200, 'outside']);
      assert.deepEqual([itself?.status, itself?.remote], [200, workload.v4]);
      const plain = scene.get('outside', `http://${workload.v4}:9090/`, `http://[${workload.v6}]:8888/`);
      assert.deepEqual(
        plain.map(({ status }) => status),
        [0, 0],
      );
    });

    test(`takes plain calls too where mutual TLS is permissive (${mode})`, async (context) => {
      const scene = await sidecar(context, 'PERMISSIVE', mode);
      scene.install({ backend: 'nft', mode });
      const [own] = scene.get('inside', `http://${service}/`);
      assert.match(own?.caller ?? '', /URI=spiffe/);
      const [v4, v6] = scene.get('outside', `http://${workload.v4}:9090/`, `http://[${workload.v6}]:9090/`);
      assert.deepEqual([v4?.status, v4?.server, v4?.remote, v4?.caller], [200, 'app', '127.0.0.6', undefined]);
      assert.deepEqual([v6?.status, v6?.server, v6?.remote, v6?.caller], [200, 'app', '::6', undefined]);
    });
  }
});
