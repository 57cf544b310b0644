// Field shapes that several kinds share. They check form only; meaning is checked in the control plane, which sees the whole world.

import { z } from 'zod';
import { parseDurationMs } from './duration.ts';

/** A duration such as `1.5s`, `100ms` or `1h30m`. */
export const durationField = z
  .string()
  .refine(
    (text) => parseDurationMs(text) !== null,
    'is no duration; write a number and a unit, such as 1.5s, 100ms or 1h30m',
  )
  .meta({ format: 'duration' });

/** A port of a service or of a process: 1 to 65535. */
export const portField = z.int().min(1).max(65535);

/** proto uint32. */
export const uint32Field = z.int().min(0).max(4_294_967_295);

/** proto int32 that has no meaning below zero. */
export const countField = z.int().min(0).max(2_147_483_647);

/** proto double between 0 and 100. */
export const percentField = z.strictObject({ value: z.number().min(0).max(100).optional() });

/** Free text per key, for annotations and header maps. */
export const stringMap = z.record(z.string(), z.string());

const labelKeyPattern =
  /^(?:[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const labelValuePattern = /^(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;

/** Kubernetes labels. */
export const labelsField = z.record(
  z
    .string()
    .regex(
      labelKeyPattern,
      'is no label key; use letters, digits, -, _ and ., at most 63, with an optional DNS prefix and /',
    ),
  z.string().regex(labelValuePattern, 'is no label value; use at most 63 letters, digits, -, _ and .'),
);

/** `matchLabels` of Istio's policies: equality only. */
export const workloadSelectorField = z.strictObject({ matchLabels: labelsField.optional() });

/** A port by number, as Istio writes destinations. */
export const portSelectorField = z.strictObject({ number: portField.optional() });

/** Which namespaces see a resource: `.`, `*` or names. */
export const exportToField = z.array(z.string());

/** A DNS label of at most 63 characters: names of namespaces, ports, subsets. */
export const dnsLabelField = z
  .string()
  .regex(/^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/, 'is no DNS label; use at most 63 lower-case letters, digits and -');
