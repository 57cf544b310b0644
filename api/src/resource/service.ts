// Service (core v1): a name, its ports, and the workloads behind it.

import { z } from 'zod';
import { dnsLabelField, labelsField, portField } from './field.ts';
import { type ResourceOf, resourceSchema } from './metadata.ts';

const servicePort = z.strictObject({
  name: dnsLabelField
    .optional()
    .describe('Needed when there is more than one port; its prefix (http-, grpc-, tcp- \u2026) names the protocol'),
  protocol: z.enum(['TCP', 'UDP', 'SCTP']).optional(),
  appProtocol: z.string().optional().describe('Protocol of the port: http, http2, grpc, https, tls, tcp \u2026'),
  port: portField,
  targetPort: z.union([portField, z.string().min(1).max(63)]).optional(),
  nodePort: z.int().min(0).max(65535).optional(),
});

const serviceSpec = z.strictObject({
  ports: z
    .array(servicePort)
    .meta({ 'x-kubernetes-patch-strategy': 'merge', 'x-kubernetes-patch-merge-key': 'port' })
    .optional(),
  selector: labelsField.optional(),
  type: z.enum(['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName']).optional(),
  clusterIP: z.string().optional(),
  clusterIPs: z.array(z.string()).optional(),
  externalName: z.string().optional(),
  externalIPs: z.array(z.string()).optional(),
  externalTrafficPolicy: z.enum(['Cluster', 'Local']).optional(),
  internalTrafficPolicy: z.enum(['Cluster', 'Local']).optional(),
  trafficDistribution: z.string().optional(),
  sessionAffinity: z.enum(['None', 'ClientIP']).optional(),
  sessionAffinityConfig: z
    .strictObject({ clientIP: z.strictObject({ timeoutSeconds: z.int().optional() }).optional() })
    .optional(),
  loadBalancerIP: z.string().optional(),
  loadBalancerClass: z.string().optional(),
  loadBalancerSourceRanges: z.array(z.string()).optional(),
  allocateLoadBalancerNodePorts: z.boolean().optional(),
  healthCheckNodePort: z.int().optional(),
  publishNotReadyAddresses: z.boolean().optional(),
  ipFamilies: z.array(z.enum(['IPv4', 'IPv6'])).optional(),
  ipFamilyPolicy: z.enum(['SingleStack', 'PreferDualStack', 'RequireDualStack']).optional(),
});

/** Service, v1. */
export const serviceSchema = resourceSchema(['v1'], 'Service', { spec: serviceSpec });

export type Service = ResourceOf<typeof serviceSchema>;
export type ServicePort = z.infer<typeof servicePort>;
