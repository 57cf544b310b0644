// The bootstrap file of a proxy in local mode: Envoy's v3 format, everything by ADS from the control plane of this machine.
import { credentialHash, spiffeId, type TcpService, type Workload } from './workload.ts';

/** Where the control plane is and how it is recognised. */
export interface ControlPlaneAddress {
  readonly xdsPort: number;
  readonly trustDomain: string;
  /** PEM file with the roots of the mesh. */
  readonly rootFile: string;
}

/** Ports that differ from what the control plane would choose by itself. */
export interface ProxyPorts {
  readonly tcp: readonly TcpService[];
  /** Gateway port to the port really listened on; null for a sidecar. */
  readonly gateway: Readonly<Record<string, number>> | null;
}

/** The SPIFFE identity of the control plane itself. */
export const controlPlaneAccount = { namespace: 'istio-system', serviceAccount: 'istiod' } as const;

const xdsCluster = 'xds-grpc';
const caCluster = 'weft-ca';

/** The bootstrap as an object; it is valid JSON and so valid YAML. */
export function proxyBootstrap(
  workload: Workload,
  ports: ProxyPorts,
  controlPlane: ControlPlaneAddress,
  joinTokenFile: string,
): unknown {
  const { trustDomain, rootFile, xdsPort } = controlPlane;
  const controlPlaneId = spiffeId(trustDomain, controlPlaneAccount.namespace, controlPlaneAccount.serviceAccount);
  return {
    node: {
      id: nodeId(workload, ports.gateway === null ? 'sidecar' : 'router'),
      cluster: `${workload.labels.app ?? workload.process}.${workload.namespace}`,
      metadata: nodeMetadata(workload, ports),
    },
    admin: { address: socketAddress(workload.adminPort) },
    bootstrap_extensions: [
      {
        name: 'weft.identity',
        typed_config: {
          '@type': 'type.googleapis.com/weft.extensions.identity.v1.WorkloadIdentity',
          ca_cluster: caCluster,
          join_token_path: joinTokenFile,
          trust_bundle_path: rootFile,
          spiffe_id: spiffeId(trustDomain, workload.namespace, workload.serviceAccount),
        },
      },
    ],
    dynamic_resources: {
      ads_config: {
        api_type: 'DELTA_GRPC',
        transport_api_version: 'V3',
        grpc_services: [{ envoy_grpc: { cluster_name: xdsCluster } }],
      },
      lds_config: { ads: {}, resource_api_version: 'V3' },
      cds_config: { ads: {}, resource_api_version: 'V3' },
    },
    static_resources: {
      clusters: [
        grpcCluster(xdsCluster, xdsPort, {
          tls_certificate_sds_secret_configs: [{ name: 'default', sds_config: adsSource }],
          combined_validation_context: {
            default_validation_context: {
              match_typed_subject_alt_names: [{ san_type: 'URI', matcher: { exact: controlPlaneId } }],
            },
            validation_context_sds_secret_config: { name: 'ROOTCA', sds_config: adsSource },
          },
        }),
        // No client certificate: the join token is what the first request is known by.
        grpcCluster(caCluster, xdsPort, {
          validation_context: {
            trusted_ca: { filename: rootFile },
            match_typed_subject_alt_names: [{ san_type: 'URI', matcher: { exact: controlPlaneId } }],
          },
        }),
      ],
    },
  };
}

const adsSource = { ads: {}, resource_api_version: 'V3' };

/** `sidecar~127.0.0.1~reviews-v1.default~default.svc.cluster.local`. */
export function nodeId(workload: Workload, role: 'sidecar' | 'router'): string {
  return `${role}~127.0.0.1~${workload.name}.${workload.namespace}~${workload.namespace}.svc.cluster.local`;
}

function nodeMetadata(workload: Workload, ports: ProxyPorts): unknown {
  const capture = { port: workload.capturePort, credentialSha256: credentialHash(workload.credential) };
  return {
    NAMESPACE: workload.namespace,
    SERVICE_ACCOUNT: workload.serviceAccount,
    WORKLOAD_NAME: workload.name,
    LABELS: workload.labels,
    INSTANCE_IPS: '127.0.0.1',
    WEFT_LOCAL:
      ports.gateway !== null
        ? { gateway: ports.gateway }
        : {
            capture,
            inbound: workload.ports,
            tcp: ports.tcp.map(({ host, port, listenPort }) => ({ host, port, listenPort })),
          },
  };
}

function socketAddress(port: number): unknown {
  return { socket_address: { address: '127.0.0.1', port_value: port } };
}

function grpcCluster(name: string, port: number, tls: Record<string, unknown>): unknown {
  return {
    name,
    type: 'STATIC',
    connect_timeout: '5s',
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: socketAddress(port) } }] }],
    },
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
    transport_socket: {
      name: 'envoy.transport_sockets.tls',
      typed_config: {
        '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
        sni: 'istiod.istio-system.svc',
        common_tls_context: { alpn_protocols: ['h2'], ...tls },
      },
    },
  };
}
