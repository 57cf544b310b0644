// The Service that a joined process belongs to: the one in the mesh, or a new one when the mesh has none of that name.
import { kindInfo } from '@weft/api/resource/kind';
import type { ProcessPort } from '@weft/api/resource/process';
import { WeftError } from '@weft/lib/error';
import type { MeshApiClient } from '../mesh-api/client.ts';
import { protocolOf } from '../workload/tcp-services.ts';

/** What was asked for. */
export interface ServiceWish {
  readonly name: string;
  readonly namespace: string;
  readonly port: number;
  readonly protocol: string | null;
}

/** What the service says about its workloads. */
export interface FoundService {
  readonly labels: Readonly<Record<string, string>>;
  readonly portName: string;
  readonly protocol: NonNullable<ProcessPort['protocol']>;
  readonly created: boolean;
}

interface ServiceSpec {
  readonly ports?: readonly { readonly name?: string; readonly port: number; readonly appProtocol?: string }[];
  readonly selector?: Readonly<Record<string, string>>;
}

const kind = kindInfo('Service');

/** Finds the service or makes it. */
export async function obtainService(client: MeshApiClient, wish: ServiceWish): Promise<FoundService> {
  const existing = await client.get(kind, wish.namespace, wish.name);
  if (existing === null) return createService(client, wish);
  const spec = (existing.spec ?? {}) as ServiceSpec;
  const port = spec.ports?.find((candidate) => candidate.port === wish.port);
  if (port === undefined) {
    const known = spec.ports?.map((candidate) => candidate.port).join(', ') || 'none';
    throw new WeftError(
      'WEFT0813',
      `service ${wish.name} has no port ${wish.port} (it has ${known}); give one of them with --port, or add the port to the service`,
    );
  }
  if (spec.selector === undefined) {
    throw new WeftError(
      'WEFT0813',
      `service ${wish.name} selects no workloads by labels, so none can join it; give it a selector`,
    );
  }
  return {
    labels: spec.selector,
    portName: port.name ?? '',
    protocol: localProtocol(wish.protocol ?? protocolOf(port)),
    created: false,
  };
}

async function createService(client: MeshApiClient, wish: ServiceWish): Promise<FoundService> {
  const protocol = localProtocol(wish.protocol ?? 'http');
  const labels = { app: wish.name };
  await client.create(kind, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: wish.name, namespace: wish.namespace, labels },
    spec: { ports: [{ name: protocol, port: wish.port }], selector: labels },
  });
  return { labels, portName: protocol, protocol, created: true };
}

/** What the sidecar's listener makes of a protocol; undeclared ones are HTTP here, as `--port` is usually a web server's. */
function localProtocol(protocol: string): FoundService['protocol'] {
  if (protocol === 'http2' || protocol === 'grpc' || protocol === 'grpc-web' || protocol === 'tcp') return protocol;
  return protocol === 'http' || protocol === '' ? 'http' : 'tcp';
}
