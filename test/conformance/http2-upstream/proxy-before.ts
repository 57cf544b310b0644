// A proxy in front of a scripted HTTP/2 upstream, for the suites that look at the client side of its HTTP/2.

import type { TestContext } from 'node:test';
import {
  cluster,
  httpManager,
  listener,
  routeTo,
  startTestProxy,
  type TestProxy,
} from '../../feature/proxy/fixture.ts';
import {
  type Answer,
  type StrictUpstream,
  type StrictUpstreamOptions,
  startStrictUpstream,
} from '../../kit/http2/strict-upstream.ts';

const options = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

/** What makes a cluster speak HTTP/2. */
export const speaksHttp2 = {
  typed_extension_protocol_options: {
    [options]: { '@type': `type.googleapis.com/${options}`, explicit_http_config: { http2_protocol_options: {} } },
  },
};

export interface Setup {
  readonly proxy: TestProxy;
  readonly upstream: StrictUpstream;
}

/** Both, with one route from the listener `main`. */
export async function setUp(
  context: TestContext,
  answers?: readonly Answer[],
  upstreamOptions: StrictUpstreamOptions = {},
  action: Readonly<Record<string, unknown>> = {},
): Promise<Setup> {
  const upstream = await startStrictUpstream(context, answers, upstreamOptions);
  const proxy = await startTestProxy(context, (logPath) => ({
    listeners: [
      listener('main', httpManager([routeTo('backend', action)], { logPath, manager: { upgrade_configs: upgrades } })),
    ],
    clusters: [cluster('backend', [upstream.port], speaksHttp2)],
  }));
  return { proxy, upstream };
}

const upgrades = [{ upgrade_type: 'websocket' }];
