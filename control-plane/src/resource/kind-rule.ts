// The one ordered list of what each kind means: its checks alone, its checks in a world, and what is not carried out.

import type { KindName, ResourceKinds } from '@weft/api/resource/kind';
import type { StoredResource } from '../store/world.ts';
import { checkAuthorizationPolicy } from './authorization-policy/check.ts';
import { authorizationPolicyNotCarriedOut } from './authorization-policy/not-carried-out.ts';
import { validateAuthorizationPolicy } from './authorization-policy/validate.ts';
import { checkDestinationRule } from './destination-rule/check.ts';
import { destinationRuleNotCarriedOut } from './destination-rule/not-carried-out.ts';
import { validateDestinationRule } from './destination-rule/validate.ts';
import type { Findings } from './findings.ts';
import { checkGateway } from './gateway/check.ts';
import { gatewayNotCarriedOut } from './gateway/not-carried-out.ts';
import { validateGateway } from './gateway/validate.ts';
import type { MeshIndex } from './mesh-index.ts';
import type { NotCarriedOut } from './not-carried-out.ts';
import { checkPeerAuthentication } from './peer-authentication/check.ts';
import { validatePeerAuthentication } from './peer-authentication/validate.ts';
import { validateProcess } from './process/validate.ts';
import { checkSecret } from './secret/check.ts';
import { validateSecret } from './secret/validate.ts';
import { checkService } from './service/check.ts';
import { serviceNotCarriedOut } from './service/not-carried-out.ts';
import { validateService } from './service/validate.ts';
import { checkServiceEntry } from './service-entry/check.ts';
import { serviceEntryNotCarriedOut } from './service-entry/not-carried-out.ts';
import { validateServiceEntry } from './service-entry/validate.ts';
import { checkVirtualService } from './virtual-service/check.ts';
import { virtualServiceNotCarriedOut } from './virtual-service/not-carried-out.ts';
import { validateVirtualService } from './virtual-service/validate.ts';
import { workloadNotCarriedOut } from './workload-entry/not-carried-out.ts';
import { validateWorkloadEntry } from './workload-entry/validate.ts';

/** What a kind means. Absent parts are kinds of which there is nothing to say. */
export interface KindRule<K extends KindName> {
  /** Looks at one resource alone. An error refuses it. */
  readonly validate?: (resource: ResourceKinds[K], findings: Findings) => void;
  /** Looks at one resource among all others. Its findings never refuse anything. */
  readonly check?: (resource: StoredResource<K>, index: MeshIndex, findings: Findings) => void;
  readonly notCarriedOut?: readonly NotCarriedOut[];
}

/** The meaning of every kind. */
export const kindRules: { readonly [K in KindName]: KindRule<K> } = {
  Namespace: {},
  Secret: { validate: validateSecret, check: checkSecret },
  Service: { validate: validateService, check: checkService, notCarriedOut: serviceNotCarriedOut },
  ServiceEntry: { validate: validateServiceEntry, check: checkServiceEntry, notCarriedOut: serviceEntryNotCarriedOut },
  WorkloadEntry: { validate: validateWorkloadEntry, notCarriedOut: workloadNotCarriedOut('spec') },
  VirtualService: {
    validate: validateVirtualService,
    check: checkVirtualService,
    notCarriedOut: virtualServiceNotCarriedOut,
  },
  DestinationRule: {
    validate: validateDestinationRule,
    check: checkDestinationRule,
    notCarriedOut: destinationRuleNotCarriedOut,
  },
  Gateway: { validate: validateGateway, check: checkGateway, notCarriedOut: gatewayNotCarriedOut },
  PeerAuthentication: { validate: validatePeerAuthentication, check: checkPeerAuthentication },
  AuthorizationPolicy: {
    validate: validateAuthorizationPolicy,
    check: checkAuthorizationPolicy,
    notCarriedOut: authorizationPolicyNotCarriedOut,
  },
  Process: { validate: validateProcess },
};
