// What is known of each proxy: whether it is connected, what it accepted, what it refused and why.

import type { ProxySession } from './proxy-session.ts';
import type { ResourceType } from './resource-type.ts';
import type { Subscription } from './subscription.ts';

export interface TypeStatus {
  readonly wantedRevision: number;
  readonly ackedRevision: number;
}

export interface ProxyStatus {
  readonly id: string;
  readonly type: 'sidecar' | 'router';
  readonly workload: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly isConnected: boolean;
  /** ISO 8601: of the connection, or of its end. */
  readonly since: string;
  readonly protocol: 'sotw' | 'delta';
  /** The revision it is to have, and the newest that it has accepted whole. */
  readonly wantedRevision: number;
  readonly ackedRevision: number;
  readonly isInSync: boolean;
  readonly types: Readonly<Partial<Record<ResourceType, TypeStatus>>>;
  readonly lastNack: { readonly type: ResourceType; readonly revision: number; readonly message: string } | null;
  /** What is wrong with its configuration on our side; null when nothing is. */
  readonly problem: string | null;
  /** ISO 8601; null without mutual TLS. */
  readonly certificateExpiresAt: string | null;
}

/** The status of a connected proxy. */
export function sessionStatus(
  session: ProxySession,
  meshRevision: number,
  since: string,
  certificateExpiresAt: string | null,
): ProxyStatus {
  const { node } = session;
  const subscriptions = [...session.types()];
  const rejected = subscriptions.find(({ rejection }) => rejection !== null);
  return {
    id: node.id,
    type: node.type,
    workload: node.workload,
    namespace: node.namespace,
    serviceAccount: node.serviceAccount,
    isConnected: true,
    since,
    protocol: session.protocol.name,
    wantedRevision: meshRevision,
    ackedRevision: subscriptions.length === 0 ? 0 : Math.min(...subscriptions.map((each) => each.ackedRevision)),
    isInSync: session.isInSync(meshRevision),
    types: Object.fromEntries(subscriptions.map((each) => [each.type, typeStatus(each)])),
    lastNack: rejected === undefined ? null : nackOf(rejected),
    problem: session.problem,
    certificateExpiresAt,
  };
}

function typeStatus({ wantedRevision, ackedRevision }: Subscription): TypeStatus {
  return { wantedRevision, ackedRevision };
}

function nackOf({ type, rejection }: Subscription): ProxyStatus['lastNack'] {
  return rejection === null ? null : { type, revision: rejection.revision, message: rejection.message };
}
