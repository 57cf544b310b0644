// What the xDS client hands resources to. The sets of clusters, routes, listeners and secrets fit this form.
import type { envoy } from '@weft/api/xds/types';
import type { Issue } from '@weft/lib/issue';

/** A change that was checked and not yet made. */
export interface PreparedUpdate {
  readonly issues: readonly Issue[];
  /** Makes the change; called only when no issue is an error. */
  commit(): void;
}

/** Receives one kind of resource. */
export interface ResourceTarget<Message> {
  /**
   * Issues name the resource as `resourcePath` does, or nobody could tell which of them is good. `set` holds new and changed resources only, `leaving` those that a later call will remove and that are therefore in nobody's way.
   * Never throws.
   */
  prepare(
    set: ReadonlyMap<string, Message>,
    remove: readonly string[],
    version: string,
    leaving: readonly string[],
  ): PreparedUpdate;
  /** A resource that was asked for did not come within its initial fetch timeout: who waits for it goes on without. */
  onMissing?(name: string): void;
}

/** The message of each kind. */
export interface ResourceMessages {
  readonly cluster: envoy.config.cluster.v3.Cluster;
  readonly endpoint: envoy.config.endpoint.v3.ClusterLoadAssignment;
  readonly listener: envoy.config.listener.v3.Listener;
  readonly route: envoy.config.route.v3.RouteConfiguration;
  readonly secret: envoy.extensions.transport_sockets.tls.v3.Secret;
}

export type ResourceKind = keyof ResourceMessages;

/** The targets of a client; kinds left out are not subscribed to. */
export type ResourceTargets = { readonly [K in ResourceKind]?: ResourceTarget<ResourceMessages[K]> };
