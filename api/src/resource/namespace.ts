// Namespace (core v1): labels and annotations are what counts; the spec is the server's.

import { z } from 'zod';
import { type ResourceOf, resourceSchema } from './metadata.ts';

/** Namespace, v1. */
export const namespaceSchema = resourceSchema(['v1'], 'Namespace', {
  spec: z.strictObject({ finalizers: z.array(z.string()).optional() }).optional(),
});

export type Namespace = ResourceOf<typeof namespaceSchema>;
