// Gateway (networking.istio.io): ports, hosts and TLS that the selected gateway proxies offer.

import { z } from 'zod';
import { labelsField, portField } from './field.ts';
import { type ResourceOf, resourceSchema } from './metadata.ts';
import { networkingVersions } from './version.ts';

const gatewayPort = z.strictObject({
  number: portField,
  protocol: z.string().min(1).describe('HTTP, HTTPS, GRPC, GRPC-WEB, HTTP2, MONGO, TCP or TLS'),
  name: z.string().min(1),
  targetPort: portField.optional(),
});

const tlsVersion = z.enum(['TLS_AUTO', 'TLSV1_0', 'TLSV1_1', 'TLSV1_2', 'TLSV1_3']);

const serverTls = z.strictObject({
  httpsRedirect: z.boolean().optional(),
  mode: z.enum(['PASSTHROUGH', 'SIMPLE', 'MUTUAL', 'AUTO_PASSTHROUGH', 'ISTIO_MUTUAL', 'OPTIONAL_MUTUAL']).optional(),
  serverCertificate: z.string().optional(),
  privateKey: z.string().optional(),
  caCertificates: z.string().optional(),
  caCrl: z.string().optional(),
  credentialName: z.string().optional(),
  credentialNames: z.array(z.string()).min(1).max(2).optional(),
  caCertCredentialName: z.string().optional(),
  tlsCertificates: z
    .array(
      z.strictObject({
        serverCertificate: z.string().optional(),
        privateKey: z.string().optional(),
        caCertificates: z.string().optional(),
      }),
    )
    .min(1)
    .max(2)
    .optional(),
  subjectAltNames: z.array(z.string()).optional(),
  verifyCertificateSpki: z.array(z.string()).optional(),
  verifyCertificateHash: z.array(z.string()).optional(),
  minProtocolVersion: tlsVersion.optional(),
  maxProtocolVersion: tlsVersion.optional(),
  cipherSuites: z.array(z.string()).optional(),
  insecureSkipVerify: z.boolean().optional(),
});

const server = z.strictObject({
  port: gatewayPort,
  bind: z.string().optional(),
  hosts: z.array(z.string().min(1)).min(1),
  tls: serverTls.optional(),
  defaultEndpoint: z.string().optional(),
  name: z.string().optional(),
});

const gatewaySpec = z.strictObject({
  servers: z.array(server).optional(),
  selector: labelsField.optional(),
});

/** Gateway, networking.istio.io/v1. */
export const gatewaySchema = resourceSchema(networkingVersions, 'Gateway', { spec: gatewaySpec });

export type Gateway = ResourceOf<typeof gatewaySchema>;
export type GatewayServer = z.infer<typeof server>;
export type GatewayTls = z.infer<typeof serverTls>;
