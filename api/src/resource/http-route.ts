// HTTP routes of a VirtualService: match, what is done with the request, and where it goes.

import { z } from 'zod';
import {
  countField,
  durationField,
  labelsField,
  percentField,
  portField,
  portSelectorField,
  stringMap,
  uint32Field,
} from './field.ts';

/** Exactly one of the three forms; none matches presence only where Istio says so (headers). */
export const stringMatch = z.strictObject({
  exact: z.string().optional(),
  prefix: z.string().optional(),
  regex: z.string().optional().describe('RE2 syntax; matches the whole value'),
});

/** A service, one of its subsets, one of its ports. */
export const destination = z.strictObject({
  host: z.string().min(1),
  subset: z.string().optional(),
  port: portSelectorField.optional(),
});

const headerOperations = z.strictObject({
  set: stringMap.optional(),
  add: stringMap.optional(),
  remove: z.array(z.string()).optional(),
});

const headers = z.strictObject({ request: headerOperations.optional(), response: headerOperations.optional() });

const httpMatch = z.strictObject({
  name: z.string().optional(),
  uri: stringMatch.optional(),
  scheme: stringMatch.optional(),
  method: stringMatch.optional(),
  authority: stringMatch.optional(),
  headers: z.record(z.string(), stringMatch).optional(),
  withoutHeaders: z.record(z.string(), stringMatch).optional(),
  queryParams: z.record(z.string(), stringMatch).optional(),
  ignoreUriCase: z.boolean().optional(),
  port: portField.optional(),
  sourceLabels: labelsField.optional(),
  sourceNamespace: z.string().optional(),
  gateways: z.array(z.string()).optional(),
  statPrefix: z.string().optional(),
});

const httpRouteDestination = z.strictObject({
  destination,
  weight: countField.optional(),
  headers: headers.optional(),
});

const httpRedirect = z.strictObject({
  uri: z.string().optional(),
  authority: z.string().optional(),
  port: portField.optional(),
  derivePort: z.enum(['FROM_PROTOCOL_DEFAULT', 'FROM_REQUEST_PORT']).optional(),
  scheme: z.string().optional(),
  redirectCode: uint32Field.optional(),
  prefixRewrite: z.string().optional(),
});

const httpDirectResponse = z.strictObject({
  status: z.int().min(200).max(599),
  body: z.strictObject({ string: z.string().optional(), bytes: z.string().optional() }).optional(),
});

const httpRewrite = z.strictObject({
  uri: z.string().optional(),
  authority: z.string().optional(),
  uriRegexRewrite: z.strictObject({ match: z.string().optional(), rewrite: z.string().optional() }).optional(),
});

const httpRetry = z.strictObject({
  attempts: countField.optional().describe('Tries after the first one'),
  perTryTimeout: durationField.optional(),
  retryOn: z.string().optional(),
  retryRemoteLocalities: z.boolean().optional(),
  retryIgnorePreviousHosts: z.boolean().optional(),
  backoff: durationField.optional(),
});

const corsPolicy = z.strictObject({
  allowOrigin: z.array(z.string()).optional(),
  allowOrigins: z.array(stringMatch).optional(),
  allowMethods: z.array(z.string()).optional(),
  allowHeaders: z.array(z.string()).optional(),
  exposeHeaders: z.array(z.string()).optional(),
  maxAge: durationField.optional(),
  allowCredentials: z.boolean().optional(),
  unmatchedPreflights: z.enum(['UNSPECIFIED', 'FORWARD', 'IGNORE']).optional(),
});

const httpFault = z.strictObject({
  delay: z
    .strictObject({
      percent: z.int().min(0).max(100).optional(),
      percentage: percentField.optional(),
      fixedDelay: durationField.optional(),
      exponentialDelay: durationField.optional(),
    })
    .optional(),
  abort: z
    .strictObject({
      percent: z.int().min(0).max(100).optional(),
      percentage: percentField.optional(),
      httpStatus: z.int().min(200).max(599).optional(),
      grpcStatus: z.string().optional(),
      http2Error: z.string().optional(),
    })
    .optional(),
});

/** One rule of `spec.http`; the first whose match fits is taken. */
export const httpRoute = z.strictObject({
  name: z.string().optional(),
  match: z.array(httpMatch).optional(),
  route: z.array(httpRouteDestination).optional(),
  redirect: httpRedirect.optional(),
  directResponse: httpDirectResponse.optional(),
  delegate: z.strictObject({ name: z.string().optional(), namespace: z.string().optional() }).optional(),
  rewrite: httpRewrite.optional(),
  timeout: durationField.optional(),
  retries: httpRetry.optional(),
  fault: httpFault.optional(),
  mirror: destination.optional(),
  mirrors: z.array(z.strictObject({ destination, percentage: percentField.optional() })).optional(),
  mirrorPercent: uint32Field.optional(),
  mirror_percent: uint32Field.optional(),
  mirrorPercentage: percentField.optional(),
  corsPolicy: corsPolicy.optional(),
  headers: headers.optional(),
});

export type HttpRoute = z.infer<typeof httpRoute>;
export type HttpMatch = z.infer<typeof httpMatch>;
export type HttpRouteDestination = z.infer<typeof httpRouteDestination>;
export type HttpRedirect = z.infer<typeof httpRedirect>;
export type HttpDirectResponse = z.infer<typeof httpDirectResponse>;
export type HttpRewrite = z.infer<typeof httpRewrite>;
export type HttpRetry = z.infer<typeof httpRetry>;
export type HttpFault = z.infer<typeof httpFault>;
export type HeaderChanges = z.infer<typeof headers>;
export type HeaderOperations = z.infer<typeof headerOperations>;
export type StringMatch = z.infer<typeof stringMatch>;
export type Destination = z.infer<typeof destination>;
