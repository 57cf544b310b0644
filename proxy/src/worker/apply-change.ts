// Makes in a worker what the main thread has checked and made.

import { WeftError } from '@weft/lib/error';
import { formatIssue, hasErrors } from '@weft/lib/issue';
import { decodeMessage } from '@weft/lib/protobuf/codec';
import type { RunningProxy } from '../proxy.ts';
import type { PreparedUpdate } from '../xds/target.ts';
import type { Change } from './messages.ts';

/** Throws a WeftError when this thread cannot make what another could: a file has changed meanwhile, for one. */
export function applyChange(proxy: RunningProxy, change: Change): void {
  const prepared = prepare(proxy, change);
  if (hasErrors(prepared.issues)) {
    const found = prepared.issues.filter((issue) => issue.level === 'error').map(formatIssue);
    throw new WeftError('config', `a change that was accepted cannot be made here: ${found.join('; ')}`);
  }
  prepared.commit();
}

function prepare(proxy: RunningProxy, { kind, set, removed, version, leaving }: Change): PreparedUpdate {
  switch (kind) {
    case 'secret':
      return proxy.secrets.prepare(
        decodeAll(set, (bytes) => decodeMessage('envoy.extensions.transport_sockets.tls.v3.Secret', bytes)),
        removed,
        version,
      );
    case 'cluster':
      return proxy.clusters.prepare(
        decodeAll(set, (bytes) => decodeMessage('envoy.config.cluster.v3.Cluster', bytes)),
        removed,
        version,
      );
    case 'endpoint':
      return proxy.clusters.prepareEndpoints(
        decodeAll(set, (bytes) => decodeMessage('envoy.config.endpoint.v3.ClusterLoadAssignment', bytes)),
        removed,
        version,
      );
    case 'listener':
      return proxy.listeners.prepare(
        decodeAll(set, (bytes) => decodeMessage('envoy.config.listener.v3.Listener', bytes)),
        removed,
        version,
        undefined,
        leaving,
      );
    case 'route':
      return proxy.routes.prepare(
        decodeAll(set, (bytes) => decodeMessage('envoy.config.route.v3.RouteConfiguration', bytes)),
        removed,
        version,
      );
  }
}

function decodeAll<Message>(set: Change['set'], decode: (bytes: Uint8Array) => Message): Map<string, Message> {
  return new Map(set.map(([name, bytes]) => [name, decode(bytes)]));
}
