// Compiles `envoy.extensions.filters.http.grpc_web.v3.GrpcWeb`, which has no settings.

import type { google } from '@weft/api/xds/types';
import { GrpcWebFilter } from './filter.ts';

export function compileGrpcWeb(_config: google.protobuf.Any, name: string): GrpcWebFilter {
  return new GrpcWebFilter(name);
}
