// VirtualService (networking.istio.io): where requests to a host go.

import { z } from 'zod';
import { countField, exportToField, labelsField, portField } from './field.ts';
import { destination, httpRoute } from './http-route.ts';
import { type ResourceOf, resourceSchema } from './metadata.ts';
import { networkingVersions } from './version.ts';

const routeDestination = z.strictObject({ destination, weight: countField.optional() });

const tlsMatch = z.strictObject({
  sniHosts: z.array(z.string().min(1)).min(1),
  destinationSubnets: z.array(z.string()).optional(),
  port: portField.optional(),
  sourceLabels: labelsField.optional(),
  sourceNamespace: z.string().optional(),
  gateways: z.array(z.string()).optional(),
});

const tlsRoute = z.strictObject({ match: z.array(tlsMatch).min(1), route: z.array(routeDestination).optional() });

const tcpMatch = z.strictObject({
  destinationSubnets: z.array(z.string()).optional(),
  port: portField.optional(),
  sourceSubnet: z.string().optional(),
  sourceLabels: labelsField.optional(),
  sourceNamespace: z.string().optional(),
  gateways: z.array(z.string()).optional(),
});

const tcpRoute = z.strictObject({ match: z.array(tcpMatch).optional(), route: z.array(routeDestination).optional() });

const virtualServiceSpec = z.strictObject({
  hosts: z.array(z.string().min(1)).optional(),
  gateways: z.array(z.string().min(1)).optional().describe('Names of gateways, or mesh for all sidecars (the default)'),
  http: z.array(httpRoute).optional(),
  tls: z.array(tlsRoute).optional(),
  tcp: z.array(tcpRoute).optional(),
  exportTo: exportToField.optional(),
});

/** VirtualService, networking.istio.io/v1. */
export const virtualServiceSchema = resourceSchema(networkingVersions, 'VirtualService', { spec: virtualServiceSpec });

export type VirtualService = ResourceOf<typeof virtualServiceSchema>;
export type TlsRoute = z.infer<typeof tlsRoute>;
export type TlsMatch = z.infer<typeof tlsMatch>;
export type TcpRoute = z.infer<typeof tcpRoute>;
export type TcpMatch = z.infer<typeof tcpMatch>;
export type RouteDestination = z.infer<typeof routeDestination>;
