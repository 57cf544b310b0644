// ServiceEntry (networking.istio.io): a service that is described by hand, inside or outside the mesh.

import { z } from 'zod';
import { exportToField, labelsField, portField } from './field.ts';
import { type ResourceOf, resourceSchema } from './metadata.ts';
import { networkingVersions } from './version.ts';
import { workloadEntrySpec } from './workload-entry.ts';

const serviceEntryPort = z.strictObject({
  number: portField,
  protocol: z.string().max(256).optional(),
  name: z.string().min(1).max(256),
  targetPort: portField.optional(),
});

const serviceEntrySpec = z.strictObject({
  hosts: z.array(z.string().min(1)).min(1).max(256),
  addresses: z.array(z.string().max(64)).max(256).optional(),
  ports: z.array(serviceEntryPort).max(256).optional(),
  location: z.enum(['MESH_EXTERNAL', 'MESH_INTERNAL']).optional(),
  resolution: z.enum(['NONE', 'STATIC', 'DNS', 'DNS_ROUND_ROBIN', 'DYNAMIC_DNS']).optional(),
  endpoints: z.array(workloadEntrySpec).max(4096).optional(),
  workloadSelector: z.strictObject({ labels: labelsField.optional() }).optional(),
  exportTo: exportToField.optional(),
  subjectAltNames: z.array(z.string()).optional(),
});

/** ServiceEntry, networking.istio.io/v1. */
export const serviceEntrySchema = resourceSchema(networkingVersions, 'ServiceEntry', { spec: serviceEntrySpec });

export type ServiceEntry = ResourceOf<typeof serviceEntrySchema>;
export type ServiceEntryPort = z.infer<typeof serviceEntryPort>;
