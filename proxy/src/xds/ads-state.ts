// What can be seen of an xDS client from outside: for admin pages, `weft status` and tests.
import type { Refusal, ResourceChannel } from './resource-channel.ts';
import type { ResourceKind } from './target.ts';

/** Envoy's `ClientResourceStatus`, as far as a client of this kind can tell. */
export type ClientStatus = 'REQUESTED' | 'DOES_NOT_EXIST' | 'ACKED' | 'NACKED';

/** One resource for `/config_dump` and the status service. */
export interface ResourceView {
  readonly name: string;
  readonly resource: { readonly typeUrl: string; readonly value: Uint8Array } | null;
  readonly version: string;
  readonly updatedWallMs: number;
  readonly clientStatus: ClientStatus;
  readonly refused: Refusal | null;
}

/** What is known of one kind. */
export interface KindView {
  readonly kind: ResourceKind;
  /** Of the latest accepted response, or empty. */
  readonly version: string;
  readonly lastAcceptedWallMs: number;
  readonly lastRefusal: Refusal | null;
  /** Names asked for; empty for kinds of which everything is wanted. */
  readonly wanted: readonly string[];
  readonly isInitialized: boolean;
}

export interface AdsState {
  /** A stream stands and the server has answered on it. */
  readonly isConnected: boolean;
  /** Identifier that the control plane gives itself, or empty. */
  readonly controlPlane: string;
  /** Why the latest stream ended, or empty. */
  readonly lastError: string;
  /** Attempts since the last answer. */
  readonly attempts: number;
  readonly kinds: readonly KindView[];
}

/** The state of one kind. */
export function viewOfKind(channel: ResourceChannel): KindView {
  return {
    kind: channel.spec.kind,
    version: channel.version,
    lastAcceptedWallMs: channel.lastAcceptedWallMs,
    lastRefusal: channel.lastRefusal,
    wanted: [...channel.wanted],
    isInitialized: channel.isInitialized,
  };
}

/** Every resource of a kind by name: in force, refused, or asked for and not come. */
export function viewsOfResources(channel: ResourceChannel): ResourceView[] {
  const names = new Set([...channel.accepted.keys(), ...channel.refused.keys(), ...channel.wanted]);
  return [...names].sort().map((name) => viewOf(channel, name));
}

function viewOf(channel: ResourceChannel, name: string): ResourceView {
  const accepted = channel.accepted.get(name);
  const refused = channel.refused.get(name) ?? null;
  const absent = channel.absent.has(name) ? 'DOES_NOT_EXIST' : 'REQUESTED';
  return {
    name,
    resource: accepted?.resource ?? null,
    version: accepted?.version ?? '',
    updatedWallMs: accepted?.updatedWallMs ?? 0,
    clientStatus: refused !== null ? 'NACKED' : accepted !== undefined ? 'ACKED' : absent,
    refused,
  };
}
