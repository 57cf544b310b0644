// DestinationRule (networking.istio.io): subsets of a service and how they are called.

import { z } from 'zod';
import { exportToField, labelsField, workloadSelectorField } from './field.ts';
import { type ResourceOf, resourceSchema } from './metadata.ts';
import { trafficPolicy } from './traffic-policy.ts';
import { networkingVersions } from './version.ts';

const subset = z.strictObject({
  name: z.string().min(1),
  labels: labelsField.optional(),
  trafficPolicy: trafficPolicy.optional(),
});

const destinationRuleSpec = z.strictObject({
  host: z.string().min(1),
  trafficPolicy: trafficPolicy.optional(),
  subsets: z.array(subset).optional(),
  exportTo: exportToField.optional(),
  workloadSelector: workloadSelectorField.optional(),
});

/** DestinationRule, networking.istio.io/v1. */
export const destinationRuleSchema = resourceSchema(networkingVersions, 'DestinationRule', {
  spec: destinationRuleSpec,
});

export type DestinationRule = ResourceOf<typeof destinationRuleSchema>;
export type Subset = z.infer<typeof subset>;
