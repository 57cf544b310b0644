// Object metadata and the envelope that every kind has: apiVersion, kind, metadata, and what the kind adds.

import { z } from 'zod';
import { dnsLabelField, labelsField, stringMap } from './field.ts';

const ownerReference = z.strictObject({
  apiVersion: z.string(),
  kind: z.string(),
  name: z.string(),
  uid: z.string(),
  controller: z.boolean().optional(),
  blockOwnerDeletion: z.boolean().optional(),
});

/** A DNS subdomain of at most 253 characters: what a resource may be called. */
export const resourceNameField = z
  .string()
  .max(253)
  .regex(
    /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/,
    'is no resource name; use lower-case letters, digits, - and ., beginning and ending with a letter or digit',
  );

/** What Kubernetes keeps about every object. The fields below `annotations` are the server's. */
export const metadataSchema = z.strictObject({
  name: resourceNameField.optional(),
  generateName: z.string().max(248).optional(),
  namespace: dnsLabelField.optional(),
  labels: labelsField.optional(),
  annotations: stringMap.optional(),
  uid: z.string().optional(),
  resourceVersion: z.string().optional(),
  generation: z.int().optional(),
  creationTimestamp: z.string().optional(),
  deletionTimestamp: z.string().optional(),
  deletionGracePeriodSeconds: z.int().optional(),
  finalizers: z.array(z.string()).meta({ 'x-kubernetes-patch-strategy': 'merge' }).optional(),
  ownerReferences: z
    .array(ownerReference)
    .meta({ 'x-kubernetes-patch-strategy': 'merge', 'x-kubernetes-patch-merge-key': 'uid' })
    .optional(),
  managedFields: z.array(z.record(z.string(), z.unknown())).optional(),
  selfLink: z.string().optional(),
});

/** Metadata of a stored object: it always has a name. */
export type Metadata = z.infer<typeof metadataSchema> & { name: string };

/** A status is written by controllers and by Weft itself; its form is theirs. */
export const statusSchema = z.looseObject({});

/** The envelope around a kind's own fields. */
export function resourceSchema<Kind extends string, Body extends z.ZodRawShape>(
  apiVersions: readonly [string, ...string[]],
  kind: Kind,
  body: Body,
) {
  return z.strictObject({
    apiVersion: z.enum(apiVersions),
    kind: z.literal(kind),
    metadata: metadataSchema,
    ...body,
    status: statusSchema.optional(),
  });
}

/** The type of a stored object of a schema: name known, status present or not. */
export type ResourceOf<Schema extends z.ZodType> = Omit<z.infer<Schema>, 'metadata'> & { metadata: Metadata };
