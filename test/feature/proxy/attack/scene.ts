// The scene of an attack: a proxy, an upstream behind it, and a client that has nothing to do with the attack.

import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { type Clock, systemClock } from '@weft/lib/clock';
import { openClient, type RawClient } from '../../../kit/client.ts';
import { until } from '../../../kit/until.ts';
import { echo, type Step, startUpstream, type Upstream } from '../../../kit/upstream.ts';
import { cluster, httpManager, listener, routeTo, startTestProxy, type TestProxy } from '../fixture.ts';

type Json = Readonly<Record<string, unknown>>;

export interface SceneParts {
  /** Merged into the connection manager. */
  readonly manager?: Json;
  /** Merged into the listener. */
  readonly listener?: Json;
  readonly filters?: readonly Json[];
  readonly routes?: readonly Json[];
  readonly steps?: readonly Step[];
  readonly clock?: Clock;
  readonly logFormat?: string;
  readonly runtime?: Json;
}

export class Scene {
  readonly proxy: TestProxy;
  readonly upstream: Upstream;
  /** Asked before the attack, during it and afterwards. */
  readonly bystander: RawClient;

  constructor(proxy: TestProxy, upstream: Upstream, bystander: RawClient) {
    this.proxy = proxy;
    this.upstream = upstream;
    this.bystander = bystander;
  }

  get port(): number {
    return this.proxy.port();
  }

  /** The other client is served as ever. */
  async servesOthers(path = '/bystander'): Promise<void> {
    const { status } = await this.bystander.fetch('GET', path);
    assert.equal(status, 200);
  }

  /** Nothing is left of the attack: no connection, no stream, no request. */
  async isClear(): Promise<void> {
    const { proxy } = this;
    await until('only the bystander is connected', () => proxy.stat('http.test.downstream_cx_active') === 1);
    await until('no request is in flight', () => proxy.stat('http.test.downstream_rq_active') === 0);
    assert.equal(proxy.stat('http2.streams_active'), 0);
    assert.equal(proxy.stat('cluster.web.upstream_rq_active'), 0);
    assert.equal(proxy.stat('cluster.web.upstream_rq_pending_active'), 0);
  }
}

/** Starts it all; it ends with the test. */
export async function startScene(context: TestContext, parts: SceneParts = {}): Promise<Scene> {
  const upstream = await startUpstream(context, parts.steps ?? [echo()]);
  const proxy = await startTestProxy(
    context,
    (logPath) => {
      const { manager = {}, filters = [], routes = [routeTo('web')], logFormat, runtime } = parts;
      const format = logFormat === undefined ? {} : { logFormat };
      const http = httpManager(routes, { manager, filters, logPath, ...format });
      return {
        listeners: [{ ...listener('main', http), ...parts.listener }],
        clusters: [cluster('web', [upstream.port])],
        ...(runtime === undefined ? {} : { runtime }),
      };
    },
    parts.clock ?? systemClock,
  );
  const scene = new Scene(proxy, upstream, await openClient(context, proxy.port()));
  await scene.servesOthers();
  return scene;
}
