// AuthorizationPolicy (security.istio.io): who may do what with a workload.

import { z } from 'zod';
import { workloadSelectorField } from './field.ts';
import { type ResourceOf, resourceSchema } from './metadata.ts';
import { securityVersions } from './version.ts';

const texts = z.array(z.string());

const source = z.strictObject({
  principals: texts.optional(),
  notPrincipals: texts.optional(),
  requestPrincipals: texts.optional(),
  notRequestPrincipals: texts.optional(),
  namespaces: texts.optional(),
  notNamespaces: texts.optional(),
  serviceAccounts: z.array(z.string().max(320)).max(16).optional(),
  notServiceAccounts: z.array(z.string().max(320)).max(16).optional(),
  ipBlocks: texts.optional(),
  notIpBlocks: texts.optional(),
  remoteIpBlocks: texts.optional(),
  notRemoteIpBlocks: texts.optional(),
  trustDomains: texts.optional(),
  notTrustDomains: texts.optional(),
});

const operation = z.strictObject({
  hosts: texts.optional(),
  notHosts: texts.optional(),
  ports: texts.optional(),
  notPorts: texts.optional(),
  methods: texts.optional(),
  notMethods: texts.optional(),
  paths: texts.optional(),
  notPaths: texts.optional(),
});

const condition = z.strictObject({ key: z.string().min(1), values: texts.optional(), notValues: texts.optional() });

const rule = z.strictObject({
  from: z
    .array(z.strictObject({ source: source.optional() }))
    .max(512)
    .optional(),
  to: z
    .array(z.strictObject({ operation: operation.optional() }))
    .max(512)
    .optional(),
  when: z.array(condition).optional(),
});

const targetReference = z.strictObject({
  group: z.string().max(253).optional(),
  kind: z.string().min(1).max(63),
  name: z.string().min(1).max(253),
  namespace: z.string().optional(),
});

const authorizationPolicySpec = z.strictObject({
  selector: workloadSelectorField.optional(),
  targetRef: targetReference.optional(),
  targetRefs: z.array(targetReference).max(16).optional(),
  rules: z.array(rule).max(512).optional(),
  action: z.enum(['ALLOW', 'DENY', 'AUDIT', 'CUSTOM']).optional(),
  provider: z.strictObject({ name: z.string().optional() }).optional(),
});

/** AuthorizationPolicy, security.istio.io/v1. An absent spec allows nothing. */
export const authorizationPolicySchema = resourceSchema(securityVersions, 'AuthorizationPolicy', {
  spec: authorizationPolicySpec.optional(),
});

export type AuthorizationPolicy = ResourceOf<typeof authorizationPolicySchema>;
export type AuthorizationRule = z.infer<typeof rule>;
export type AuthorizationSource = z.infer<typeof source>;
export type AuthorizationOperation = z.infer<typeof operation>;
export type AuthorizationCondition = z.infer<typeof condition>;
