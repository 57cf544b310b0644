// PeerAuthentication (security.istio.io): whether a workload demands mutual TLS from its callers.

import { z } from 'zod';
import { workloadSelectorField } from './field.ts';
import { type ResourceOf, resourceSchema } from './metadata.ts';
import { securityVersions } from './version.ts';

const mutualTls = z.strictObject({ mode: z.enum(['UNSET', 'DISABLE', 'PERMISSIVE', 'STRICT']).optional() });

const peerAuthenticationSpec = z.strictObject({
  selector: workloadSelectorField.optional(),
  mtls: mutualTls.optional(),
  portLevelMtls: z.record(z.string(), mutualTls).optional().describe('Mode by port number of the workload'),
});

/** PeerAuthentication, security.istio.io/v1. */
export const peerAuthenticationSchema = resourceSchema(securityVersions, 'PeerAuthentication', {
  spec: peerAuthenticationSpec.optional(),
});

export type PeerAuthentication = ResourceOf<typeof peerAuthenticationSchema>;
export type MutualTlsMode = NonNullable<z.infer<typeof mutualTls>['mode']>;
