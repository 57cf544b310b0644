// WorkloadEntry (networking.istio.io): one address that serves, outside Kubernetes pods. Local replicas are registered as these.

import { z } from 'zod';
import { labelsField, portField, uint32Field } from './field.ts';
import { type ResourceOf, resourceSchema } from './metadata.ts';
import { networkingVersions } from './version.ts';

/** The fields of one workload; a ServiceEntry lists the same as its endpoints. */
export const workloadEntrySpec = z.strictObject({
  address: z.string().max(256).optional().describe('IP address, host name or unix:// path'),
  ports: z.record(z.string().min(1).max(63), portField).optional().describe('Port number by port name'),
  labels: labelsField.optional(),
  network: z.string().max(2048).optional(),
  locality: z.string().max(2048).optional().describe('region/zone/subzone'),
  weight: uint32Field.optional(),
  serviceAccount: z.string().max(253).optional(),
});

/** WorkloadEntry, networking.istio.io/v1. */
export const workloadEntrySchema = resourceSchema(networkingVersions, 'WorkloadEntry', { spec: workloadEntrySpec });

export type WorkloadEntry = ResourceOf<typeof workloadEntrySchema>;
