// Who a proxy is: read from the node of its first request, as Istio's proxies and Weft's describe themselves.

import type { envoy } from '@weft/api/xds/types';
import type { Issue } from '@weft/lib/issue';
import { z } from 'zod';

const port = z.int().min(0).max(65535);
const portNumber = z.int().min(1).max(65535);

/** Most ports of a workload or gateway, and most services of TCP, that one proxy may ask listeners for. */
const maxPorts = 256;
const maxTcpServices = 512;
/** What Kubernetes lets a label have, and as many of them as a workload may well have. */
const maxLabels = 64;
const maxLabelKeyLength = 317;
const maxLabelValueLength = 63;
const maxAddresses = 16;
const maxAddressLength = 45;
/** Characters of a node id, which is remembered when the proxy has gone. */
const maxIdLength = 1024;
/** Problems that one refusal tells. */
const maxProblems = 10;

const name = z.string().max(253);

function hasAtMost(count: number): [(record: object) => boolean, string] {
  return [(record) => Object.keys(record).length <= count, `has more than ${count} entries`];
}

const localSchema = z.object({
  capture: z
    .object({
      port,
      credentialSha256: z
        .string()
        .regex(/^[0-9a-f]{64}$/, 'is no SHA-256')
        .optional(),
    })
    .optional(),
  inbound: z
    .array(
      z.object({
        name,
        servicePort: portNumber,
        protocol: z.enum(['http', 'http2', 'grpc', 'grpc-web', 'tcp', 'auto']).default('http'),
        listenPort: port,
        targetPort: portNumber,
      }),
    )
    .max(maxPorts)
    .optional(),
  tcp: z
    .array(z.object({ host: name, port: portNumber, listenPort: port }))
    .max(maxTcpServices)
    .optional(),
  gateway: z
    .record(z.string().regex(/^\d{1,5}$/, 'is no port'), port)
    .refine(...hasAtMost(maxPorts))
    .optional(),
});

/** Where the rules of transparent capture send connections; Istio's numbers unless said otherwise. */
const captureSchema = z.object({
  outboundPort: portNumber.default(15_001),
  inboundPort: portNumber.default(15_006),
});

const metadataSchema = z.object({
  NAMESPACE: name.optional(),
  SERVICE_ACCOUNT: name.optional(),
  WORKLOAD_NAME: name.optional(),
  LABELS: z
    .record(z.string().max(maxLabelKeyLength), z.string().max(maxLabelValueLength))
    .refine(...hasAtMost(maxLabels))
    .optional(),
  INSTANCE_IPS: z
    .string()
    .max(maxAddresses * (maxAddressLength + 1))
    .refine((text) => text.split(',').length <= maxAddresses, `has more than ${maxAddresses} addresses`)
    .optional(),
  INTERCEPTION_MODE: z.string().optional(),
  WEFT_CAPTURE: captureSchema.optional(),
  WEFT_LOCAL: localSchema.optional(),
});

export type WeftLocal = z.infer<typeof localSchema>;
export type LocalInbound = NonNullable<WeftLocal['inbound']>[number];

/** What Weft's proxy calls itself, and the feature by which one says that it takes HTTP/2 from its callers. */
const weftAgent = 'weft';
const http2Feature = 'weft.http2';

/**
 * How connections of the application reach its sidecar: redirected by the kernel, to the workload's own ports by TPROXY, or to
 * ports that the proxy binds.
 */
export type Interception = 'redirect' | 'tproxy' | 'none' | 'unknown';

export type CapturePorts = z.infer<typeof captureSchema>;

export interface ProxyNode {
  readonly id: string;
  readonly type: 'sidecar' | 'router';
  readonly addresses: readonly string[];
  readonly workload: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly interception: Interception;
  readonly capturePorts: CapturePorts;
  /** Whether the proxy is Weft's own, not Envoy. */
  readonly isWeft: boolean;
  /** Whether callers may be offered HTTP/2. */
  readonly speaksHttp2: boolean;
  readonly local: WeftLocal | null;
}

/** Reads a node; null and at least one issue when it cannot be served. */
export function parseProxyNode(node: envoy.config.core.v3.Node, issues: Issue[]): ProxyNode | null {
  const id = node.id ?? '';
  if (id.length > maxIdLength) {
    const message = `the node id has ${id.length} characters; give one of at most ${maxIdLength}`;
    issues.push({ code: 'WEFT0601', level: 'error', path: 'node.id', message });
    return null;
  }
  const [type, address = '', workloadId = '', domain = ''] = id.split('~');
  if ((type !== 'sidecar' && type !== 'router') || workloadId === '') {
    issues.push({ code: 'WEFT0601', level: 'error', path: 'node.id', message: badIdMessage(id) });
    return null;
  }
  const metadata = metadataSchema.safeParse(node.metadata ?? {});
  if (!metadata.success) {
    for (const problem of metadata.error.issues.slice(0, maxProblems))
      issues.push(metadataIssue(problem.path, problem.message));
    return null;
  }
  const { data } = metadata;
  const dot = workloadId.lastIndexOf('.');
  return {
    id,
    type,
    addresses: data.INSTANCE_IPS?.split(',') ?? [address],
    workload: data.WORKLOAD_NAME ?? (dot < 0 ? workloadId : workloadId.slice(0, dot)),
    namespace: data.NAMESPACE ?? namespaceOf(workloadId, domain),
    serviceAccount: data.SERVICE_ACCOUNT ?? 'default',
    labels: data.LABELS ?? {},
    interception: interceptionOf(data.INTERCEPTION_MODE),
    capturePorts: data.WEFT_CAPTURE ?? captureSchema.parse({}),
    isWeft: node.userAgentName === weftAgent,
    speaksHttp2: node.userAgentName !== weftAgent || (node.clientFeatures ?? []).includes(http2Feature),
    local: data.WEFT_LOCAL ?? null,
  };
}

function badIdMessage(id: string): string {
  return (
    `the node id '${id}' names no proxy of a mesh, so there is nothing to send to it; ` +
    "give it an id such as 'sidecar~127.0.0.1~reviews-v1.default~default.svc.cluster.local' (router~ for a gateway)"
  );
}

function metadataIssue(path: readonly PropertyKey[], problem: string): Issue {
  const where = ['node', 'metadata', ...path.map(String)].join('.');
  const message = `${where} cannot be read: ${problem}; correct the metadata in the proxy's bootstrap`;
  return { code: 'WEFT0602', level: 'error', path: where, message };
}

function namespaceOf(workloadId: string, domain: string): string {
  const [fromDomain = ''] = domain.split('.');
  if (fromDomain !== '') return fromDomain;
  const dot = workloadId.lastIndexOf('.');
  return dot < 0 ? 'default' : workloadId.slice(dot + 1);
}

function interceptionOf(mode: string | undefined): Interception {
  if (mode === 'REDIRECT') return 'redirect';
  if (mode === 'TPROXY') return 'tproxy';
  return mode === undefined ? 'unknown' : 'none';
}
