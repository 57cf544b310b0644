// Process (weft.dev): a workload of the local mesh, run as an ordinary process beside its sidecar.

import { z } from 'zod';
import { dnsLabelField, portField } from './field.ts';
import { type ResourceOf, resourceSchema } from './metadata.ts';
import { weftVersions } from './version.ts';

const processPort = z.strictObject({
  name: dnsLabelField,
  port: portField.describe('Port of the service'),
  protocol: z.enum(['http', 'http2', 'grpc', 'grpc-web', 'tcp']).optional().describe('http unless said otherwise'),
  targetPort: portField
    .optional()
    .describe('Port the process listens on; without it a free one is handed over in $PORT'),
});

const readiness = z.strictObject({
  httpGet: z.strictObject({ path: z.string().startsWith('/'), port: portField.optional() }).optional(),
  tcpSocket: z.strictObject({ port: portField.optional() }).optional(),
  initialDelaySeconds: z.number().min(0).max(3600).optional(),
  periodSeconds: z.number().min(0.1).max(3600).optional(),
  timeoutSeconds: z.number().min(0.1).max(3600).optional(),
  failureThreshold: z.int().min(1).max(1000).optional(),
});

const processSpec = z.strictObject({
  command: z.array(z.string()).min(1).describe('Program and arguments; no shell in between'),
  workingDirectory: z.string().min(1).optional().describe('Relative to the file that declares the process'),
  env: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'is no environment variable name'), z.string()).optional(),
  ports: z.array(processPort).max(100).optional(),
  serviceAccount: dnsLabelField.optional().describe('default unless said otherwise'),
  replicas: z.int().min(0).max(100).optional().describe('1 unless said otherwise'),
  readiness: readiness.optional(),
  proxy: z.strictObject({ enabled: z.boolean().optional() }).optional(),
});

/** Process, weft.dev/v1alpha1. */
export const processSchema = resourceSchema(weftVersions, 'Process', { spec: processSpec });

export type Process = ResourceOf<typeof processSchema>;
export type ProcessPort = z.infer<typeof processPort>;
export type ProcessReadiness = z.infer<typeof readiness>;
