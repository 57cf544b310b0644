// Secret (core v1): TLS key pairs and trust bundles for gateways and for TLS origination.

import { z } from 'zod';
import { stringMap } from './field.ts';
import { type ResourceOf, resourceSchema } from './metadata.ts';

/** Base64, as `data` holds it. */
const base64Field = z
  .string()
  .regex(
    /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/,
    'is no base64; use stringData for plain text',
  );

/** Secret, v1. What is written as `stringData` is stored as `data`. */
export const secretSchema = resourceSchema(['v1'], 'Secret', {
  type: z.string().optional().describe('kubernetes.io/tls or Opaque'),
  data: z.record(z.string(), base64Field).optional().describe('Base64 values by key'),
  stringData: stringMap.optional().describe('Plain text values by key; stored as data'),
  immutable: z.boolean().optional(),
});

export type Secret = ResourceOf<typeof secretSchema>;
