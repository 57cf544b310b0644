// A client of a server of its own, with targets that remember what they were given.

import assert from 'node:assert/strict';
import { afterEach } from 'node:test';
import type { envoy } from '@weft/api/xds/types';
import { PausedClock } from '@weft/lib/clock';
import { type Issue, resourcePath } from '@weft/lib/issue';
import { packAny } from '@weft/lib/protobuf/codec';
import { AdsClient, type AdsClientOptions } from '../ads-client.ts';
import type { PreparedUpdate, ResourceKind, ResourceTarget } from '../target.ts';
import { FakeAdsServer, type FakeStream } from './fake-ads-server.ts';

type Cluster = envoy.config.cluster.v3.Cluster;

/** Remembers what it was given, and refuses what the test says. */
export class RecordingTarget implements ResourceTarget<unknown> {
  readonly log: string[];
  readonly kind: ResourceKind;
  readonly held: Map<string, unknown> = new Map();
  refuse: (name: string) => boolean = () => false;
  onCommit: (() => void) | null = null;
  leaving: readonly string[] = [];

  constructor(kind: ResourceKind, log: string[]) {
    this.kind = kind;
    this.log = log;
  }

  prepare(
    set: ReadonlyMap<string, unknown>,
    remove: readonly string[],
    version: string,
    leaving: readonly string[],
  ): PreparedUpdate {
    if (set.size > 0) this.leaving = leaving;
    const issues: Issue[] = [...set.keys()]
      .filter((name) => this.refuse(name))
      .map((name) => ({
        code: 'WEFT9999',
        level: 'error',
        path: `${resourcePath(this.kind, name)}.x`,
        message: 'refused by the test',
      }));
    const commit = (): void => {
      for (const [name, message] of set) this.held.set(name, message);
      for (const name of remove) this.held.delete(name);
      this.log.push(`${this.kind} +[${[...set.keys()]}] -[${remove}] @${version}`);
      this.onCommit?.();
    };
    return { issues, commit };
  }

  onMissing(name: string): void {
    this.log.push(`${this.kind} missing ${name}`);
  }
}

export class Bed {
  readonly clock = new PausedClock();
  readonly log: string[] = [];
  readonly clusters = new RecordingTarget('cluster', this.log);
  readonly endpoints = new RecordingTarget('endpoint', this.log);
  readonly listeners = new RecordingTarget('listener', this.log);
  readonly routes = new RecordingTarget('route', this.log);
  readonly secrets = new RecordingTarget('secret', this.log);
  readonly server: FakeAdsServer;
  readonly client: AdsClient;
  private stateWaiter: (() => void) | null = null;

  constructor(server: FakeAdsServer, options: Partial<AdsClientOptions>) {
    this.server = server;
    this.client = new AdsClient({
      clock: this.clock,
      random: () => 0.5,
      connect: server.connect,
      isTls: false,
      authority: 'control-plane.test',
      variant: 'GRPC',
      node: { id: 'sidecar~test' },
      targets: {
        cluster: this.clusters,
        endpoint: this.endpoints,
        listener: this.listeners,
        route: this.routes,
        secret: this.secrets,
      },
      // The paused clock jumps further than any PING could be answered in.
      pingIntervalMs: 0,
      onStateChange: () => this.stateWaiter?.(),
      ...options,
    });
  }

  /** Waits until the state is as asked for. */
  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!condition()) return;
        this.stateWaiter = null;
        resolve();
      };
      this.stateWaiter = look;
      look();
    });
  }

  /** Waits for the next change, whatever it is. */
  change(): Promise<void> {
    return new Promise((resolve) => {
      this.stateWaiter = resolve;
    });
  }

  async stop(): Promise<void> {
    this.client.close();
    await this.server.close();
  }
}

/** Stopped when the test is over. */
export const beds: Bed[] = [];

export async function makeBed(options: Partial<AdsClientOptions> = {}): Promise<Bed> {
  const bed = new Bed(await FakeAdsServer.start(), options);
  beds.push(bed);
  return bed;
}

afterEach(async () => {
  for (const bed of beds.splice(0)) await bed.stop();
});

/** Starts, and takes the two requests that begin every stream. */
export async function open(bed: Bed): Promise<FakeStream> {
  bed.client.start();
  return begin(await bed.server.accept());
}

export async function begin(stream: FakeStream): Promise<FakeStream> {
  const first = await stream.next();
  const second = await stream.next();
  assert.deepEqual([shortType(first.typeUrl), shortType(second.typeUrl)], ['Cluster', 'Listener']);
  return stream;
}

export function shortType(typeUrl: string | undefined): string {
  return typeUrl?.slice(typeUrl.lastIndexOf('.') + 1) ?? '';
}

export const web: Cluster = { name: 'web', connectTimeout: { seconds: 1 } };
export const api: Cluster = { name: 'api' };

export function listenerFor(name: string, routeName: string, timeout?: number): envoy.config.listener.v3.Listener {
  const configSource = { ads: {}, initialFetchTimeout: timeout === undefined ? undefined : { seconds: timeout } };
  const typedConfig = packAny('envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager', {
    rds: { routeConfigName: routeName, configSource },
  });
  return { name, filterChains: [{ filters: [{ name: 'http', typedConfig }] }] };
}
