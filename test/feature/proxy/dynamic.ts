// A proxy whose clusters and listeners come over ADS, from a server that a test leads.

import type { TestContext } from 'node:test';
import { type Clock, systemClock } from '@weft/lib/clock';
import { messageFromJson } from '@weft/lib/protobuf/codec';
import { FakeAdsServer, type FakeStream, type SeenRequest } from '@weft/proxy/xds/testing/fake-ads-server';
import { cluster, startTestProxy, type TestProxy } from './fixture.ts';

export type Json = Readonly<Record<string, unknown>>;

export interface DynamicProxy {
  readonly proxy: TestProxy;
  readonly stream: FakeStream;
}

type AdsApi = 'GRPC' | 'DELTA_GRPC';

/** The parts of a bootstrap by which clusters and listeners come over ADS, from a server on that port. */
export function adsBootstrap(port: number, api: AdsApi = 'GRPC'): { clusters: Json[]; more: Json } {
  const ads = { ads: {}, resource_api_version: 'V3' };
  const dynamic = {
    ads_config: {
      api_type: api,
      transport_api_version: 'V3',
      grpc_services: [{ envoy_grpc: { cluster_name: 'ads' } }],
    },
    cds_config: ads,
    lds_config: ads,
  };
  const options = {
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
  };
  return { clusters: [cluster('ads', [port], options)], more: { dynamic_resources: dynamic } };
}

/** A proxy whose clusters and listeners come over ADS. */
export async function startDynamic(
  context: TestContext,
  concurrency: number,
  api: AdsApi = 'GRPC',
  clock: Clock = systemClock,
): Promise<DynamicProxy> {
  const server = await FakeAdsServer.start();
  context.after(() => server.close());
  const build = () => ({ listeners: [], ...adsBootstrap(server.port, api) });
  const proxy = await startTestProxy(context, build, clock, concurrency);
  return { proxy, stream: await server.accept() };
}

/** The answer to a response: requests before it are passed over. */
export async function answerTo(stream: FakeStream, nonce: string): Promise<SeenRequest> {
  for (;;) {
    const request = await stream.next();
    if (request.responseNonce === nonce) return request;
  }
}

export async function push(
  stream: FakeStream,
  kind: 'cluster' | 'listener' | 'route',
  version: string,
  resources: readonly object[],
): Promise<string | null> {
  const request = await answerTo(stream, stream.respond(kind, version, resources));
  return request.errorDetail?.message ?? null;
}

/** The same by the incremental protocol; the version is `version` for all. */
export async function pushDelta(
  stream: FakeStream,
  kind: 'cluster' | 'endpoint' | 'listener' | 'route',
  version: string,
  changed: Readonly<Record<string, object>>,
  removed: readonly string[] = [],
): Promise<string | null> {
  const resources = Object.entries(changed).map(([name, message]) => [name, version, message] as const);
  const request = await answerTo(stream, stream.respondDelta(kind, resources, removed));
  return request.errorDetail?.message ?? null;
}

export function clusterMessage(name: string, port: number): object {
  return messageFromJson('envoy.config.cluster.v3.Cluster', cluster(name, [port]), []);
}

export function listenerMessage(json: Json): object {
  return messageFromJson('envoy.config.listener.v3.Listener', json, []);
}
