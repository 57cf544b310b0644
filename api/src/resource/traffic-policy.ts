// `trafficPolicy` of a DestinationRule: balancing, pools, ejection and TLS towards a service, subset or port.

import { z } from 'zod';
import { countField, durationField, portField, portSelectorField, uint32Field } from './field.ts';
import { loadBalancer } from './load-balancer.ts';

const tcpSettings = z.strictObject({
  maxConnections: countField.optional(),
  connectTimeout: durationField.optional(),
  tcpKeepalive: z
    .strictObject({
      probes: uint32Field.optional(),
      time: durationField.optional(),
      interval: durationField.optional(),
    })
    .optional(),
  maxConnectionDuration: durationField.optional(),
  idleTimeout: durationField.optional(),
});

const httpSettings = z.strictObject({
  http1MaxPendingRequests: countField.optional(),
  http2MaxRequests: countField.optional(),
  maxRequestsPerConnection: countField.optional(),
  maxRetries: countField.optional(),
  idleTimeout: durationField.optional(),
  h2UpgradePolicy: z.enum(['DEFAULT', 'DO_NOT_UPGRADE', 'UPGRADE']).optional(),
  useClientProtocol: z.boolean().optional(),
  maxConcurrentStreams: countField.optional(),
  http2KeepAlive: z.strictObject({ interval: durationField.optional(), timeout: durationField.optional() }).optional(),
});

const connectionPool = z.strictObject({ tcp: tcpSettings.optional(), http: httpSettings.optional() });

const outlierDetection = z.strictObject({
  consecutiveErrors: countField.optional(),
  splitExternalLocalOriginErrors: z.boolean().optional(),
  consecutiveLocalOriginFailures: uint32Field.optional(),
  consecutiveGatewayErrors: uint32Field.optional(),
  consecutive5xxErrors: uint32Field.optional(),
  interval: durationField.optional(),
  baseEjectionTime: durationField.optional(),
  maxEjectionPercent: z.int().min(0).max(100).optional(),
  minHealthPercent: z.int().min(0).max(100).optional(),
  outlierDetectionHttpErrorCodes: z.array(z.int().min(100).max(599)).optional(),
});

const clientTls = z.strictObject({
  mode: z.enum(['DISABLE', 'SIMPLE', 'MUTUAL', 'ISTIO_MUTUAL']).optional(),
  clientCertificate: z.string().optional(),
  privateKey: z.string().optional(),
  caCertificates: z.string().optional(),
  caCrl: z.string().optional(),
  credentialName: z.string().optional(),
  subjectAltNames: z.array(z.string()).optional(),
  sni: z.string().optional(),
  insecureSkipVerify: z.boolean().optional(),
});

const portTrafficPolicy = z.strictObject({
  port: portSelectorField.optional(),
  loadBalancer: loadBalancer.optional(),
  connectionPool: connectionPool.optional(),
  outlierDetection: outlierDetection.optional(),
  tls: clientTls.optional(),
});

/** Traffic policy of a service or of one of its subsets. */
export const trafficPolicy = z.strictObject({
  loadBalancer: loadBalancer.optional(),
  connectionPool: connectionPool.optional(),
  outlierDetection: outlierDetection.optional(),
  tls: clientTls.optional(),
  portLevelSettings: z.array(portTrafficPolicy).max(4096).optional(),
  tunnel: z
    .strictObject({ protocol: z.string().optional(), targetHost: z.string().min(1), targetPort: portField })
    .optional(),
  proxyProtocol: z.strictObject({ version: z.enum(['V1', 'V2']).optional() }).optional(),
  retryBudget: z
    .strictObject({
      percent: z.number().min(0).max(100).optional(),
      minRetryConcurrency: uint32Field.optional(),
      budgetInterval: durationField.optional(),
    })
    .optional(),
});

export type TrafficPolicy = z.infer<typeof trafficPolicy>;
export type PortTrafficPolicy = z.infer<typeof portTrafficPolicy>;
export type ConnectionPool = z.infer<typeof connectionPool>;
export type OutlierDetection = z.infer<typeof outlierDetection>;
export type ClientTls = z.infer<typeof clientTls>;
