// From `lb_policy` or `load_balancing_policy` to the algorithm of a cluster.

import type { envoy, google } from '@weft/api/xds/types';
import { messageOf } from '@weft/lib/error';
import { typeNameOf, unpackAny } from '@weft/lib/protobuf/codec';
import { type IssueSink, reportError, sinkAt } from '../security/data-source.ts';
import type { BalancerPolicy, BalancerSettings } from './balancer/picker.ts';

type ClusterMessage = envoy.config.cluster.v3.Cluster;
type LoadBalancingPolicy = envoy.config.cluster.v3.LoadBalancingPolicy;

const maxTableSize = 5_000_011;
const maxRingSize = 8_388_608;

export function compileBalancer(config: ClusterMessage, sink: IssueSink): BalancerSettings {
  const common = config.commonLbConfig;
  const panicPercent = common?.healthyPanicThreshold === undefined ? 50 : (common.healthyPanicThreshold.value ?? 0);
  const isLocalityWeighted = common?.localityWeightedLbConfig !== undefined;
  if (common?.consistentHashingLbConfig?.hashBalanceFactor !== undefined)
    refuseBalanceFactor(sinkAt(sink, 'common_lb_config'));
  const list = config.loadBalancingPolicy;
  if (list === undefined) return { policy: compilePolicy(config, sink), panicPercent, isLocalityWeighted };
  const typed = compileTyped(list, sinkAt(sink, 'load_balancing_policy'));
  return { policy: typed.policy, panicPercent, isLocalityWeighted: typed.isLocalityWeighted || isLocalityWeighted };
}

function refuseBalanceFactor(sink: IssueSink): void {
  reportError(
    sinkAt(sink, 'consistent_hashing_lb_config.hash_balance_factor'),
    'WEFT0362',
    'bounded load is not carried out; leave it out',
  );
}

function compilePolicy(config: ClusterMessage, sink: IssueSink): BalancerPolicy {
  const useHostname = config.commonLbConfig?.consistentHashingLbConfig?.useHostnameForHashing === true;
  switch (config.lbPolicy) {
    case 'LEAST_REQUEST':
      return leastRequest(config.leastRequestLbConfig ?? {}, sinkAt(sink, 'least_request_lb_config'));
    case 'RANDOM':
      return { kind: 'random' };
    case 'RING_HASH':
      return ringHash({ ...config.ringHashLbConfig, useHostname }, sinkAt(sink, 'ring_hash_lb_config'));
    case 'MAGLEV':
      return maglev({ ...config.maglevLbConfig, useHostname }, sinkAt(sink, 'maglev_lb_config'));
    case 'CLUSTER_PROVIDED':
      if (config.type === 'ORIGINAL_DST') return { kind: 'cluster-provided' };
      reportError(
        sinkAt(sink, 'lb_policy'),
        'WEFT0363',
        'CLUSTER_PROVIDED fits clusters of type ORIGINAL_DST only; choose an algorithm',
      );
      return { kind: 'round-robin' };
    case undefined:
    case 'ROUND_ROBIN':
      return { kind: 'round-robin' };
    default:
      reportError(
        sinkAt(sink, 'lb_policy'),
        'WEFT0363',
        `${config.lbPolicy} names no algorithm; set load_balancing_policy or another lb_policy`,
      );
      return { kind: 'round-robin' };
  }
}

interface LeastRequestFields {
  readonly choiceCount?: number | undefined;
  readonly activeRequestBias?: envoy.config.core.v3.RuntimeDouble | undefined;
  readonly selectionMethod?: string | undefined;
  readonly enableFullScan?: boolean | undefined;
}

function leastRequest(config: LeastRequestFields, sink: IssueSink): BalancerPolicy {
  const { choiceCount: choices = 2 } = config;
  if (choices < 2)
    reportError(sinkAt(sink, 'choice_count'), 'WEFT0364', `${choices} is too few to compare; give 2 or more`);
  const activeBias = config.activeRequestBias?.defaultValue ?? (config.activeRequestBias === undefined ? 1 : 0);
  if (activeBias < 0)
    reportError(sinkAt(sink, 'active_request_bias'), 'WEFT0364', 'the bias must not be negative; give 0 or more');
  return {
    kind: 'least-request',
    choices,
    activeBias,
    fullScan: config.selectionMethod === 'FULL_SCAN' || config.enableFullScan === true,
  };
}

interface RingHashFields {
  readonly minimumRingSize?: number | bigint | undefined;
  readonly maximumRingSize?: number | bigint | undefined;
  readonly hashFunction?: string | undefined;
  readonly useHostname: boolean;
}

function ringHash(config: RingHashFields, sink: IssueSink): BalancerPolicy {
  const minSize = Number(config.minimumRingSize ?? 1024);
  const maxSize = Number(config.maximumRingSize ?? maxRingSize);
  if (minSize > maxRingSize || maxSize > maxRingSize || minSize > maxSize) {
    const problem = `the ring cannot hold ${minSize} to ${maxSize} places; give a minimum up to the maximum, and that up to ${maxRingSize}`;
    reportError(sink, 'WEFT0364', problem);
  }
  if (config.hashFunction === 'MURMUR_HASH_2') {
    reportError(sinkAt(sink, 'hash_function'), 'WEFT0362', 'MURMUR_HASH_2 is not carried out; use XX_HASH');
  }
  return { kind: 'ring-hash', minSize, maxSize, useHostname: config.useHostname };
}

interface MaglevFields {
  readonly tableSize?: number | bigint | undefined;
  readonly useHostname: boolean;
}

function maglev(config: MaglevFields, sink: IssueSink): BalancerPolicy {
  const tableSize = Number(config.tableSize ?? 65_537);
  if (tableSize > maxTableSize || !isPrime(tableSize)) {
    reportError(
      sinkAt(sink, 'table_size'),
      'WEFT0364',
      `${tableSize} is no prime number up to ${maxTableSize}; give one, such as 65537`,
    );
  }
  return { kind: 'maglev', tableSize, useHostname: config.useHostname };
}

function isPrime(value: number): boolean {
  if (value < 2) return false;
  for (let divisor = 2; divisor * divisor <= value; divisor++) if (value % divisor === 0) return false;
  return true;
}

interface Typed {
  readonly policy: BalancerPolicy;
  readonly isLocalityWeighted: boolean;
}

const fallback: Typed = { policy: { kind: 'round-robin' }, isLocalityWeighted: false };

// As Envoy: the first policy of the list that we know.
function compileTyped(list: LoadBalancingPolicy, sink: IssueSink): Typed {
  const names: string[] = [];
  for (const [i, entry] of (list.policies ?? []).entries()) {
    const any = entry.typedExtensionConfig?.typedConfig;
    if (any === undefined) continue;
    names.push(typeNameOf(any));
    const typed = decodeTyped(any, sinkAt(sink, `policies[${i}].typed_extension_config.typed_config`));
    if (typed !== null) return typed;
  }
  const given = names.length === 0 ? 'the list is empty' : `none of ${names.join(', ')} is carried out`;
  reportError(
    sinkAt(sink, 'policies'),
    'WEFT0363',
    `${given}; use RoundRobin, LeastRequest, Random, RingHash or Maglev`,
  );
  return fallback;
}

function decodeTyped(any: google.protobuf.Any, sink: IssueSink): Typed | null {
  try {
    return readTyped(any, sink);
  } catch (error) {
    reportError(sink, 'WEFT0361', `the configuration cannot be decoded: ${messageOf(error)}`);
    return fallback;
  }
}

const prefix = 'envoy.extensions.load_balancing_policies';

function readTyped(any: google.protobuf.Any, sink: IssueSink): Typed | null {
  switch (typeNameOf(any)) {
    case `${prefix}.round_robin.v3.RoundRobin`: {
      const config = unpackAny(any, `${prefix}.round_robin.v3.RoundRobin`);
      return { policy: { kind: 'round-robin' }, isLocalityWeighted: isWeighted(config.localityLbConfig) };
    }
    case `${prefix}.least_request.v3.LeastRequest`: {
      const config = unpackAny(any, `${prefix}.least_request.v3.LeastRequest`);
      return { policy: leastRequest(config, sink), isLocalityWeighted: isWeighted(config.localityLbConfig) };
    }
    case `${prefix}.random.v3.Random`: {
      const config = unpackAny(any, `${prefix}.random.v3.Random`);
      return { policy: { kind: 'random' }, isLocalityWeighted: isWeighted(config.localityLbConfig) };
    }
    case `${prefix}.wrr_locality.v3.WrrLocality`: {
      const { endpointPickingPolicy } = unpackAny(any, `${prefix}.wrr_locality.v3.WrrLocality`);
      const below = sinkAt(sink, 'endpoint_picking_policy');
      return { policy: compileTyped(endpointPickingPolicy ?? {}, below).policy, isLocalityWeighted: true };
    }
    default:
      return readHashing(any, sink);
  }
}

function readHashing(any: google.protobuf.Any, sink: IssueSink): Typed | null {
  switch (typeNameOf(any)) {
    case `${prefix}.ring_hash.v3.RingHash`: {
      const config = unpackAny(any, `${prefix}.ring_hash.v3.RingHash`);
      const hashing = config.consistentHashingLbConfig;
      if ((hashing?.hashBalanceFactor ?? config.hashBalanceFactor) !== undefined) refuseBalanceFactor(sink);
      const useHostname = (hashing?.useHostnameForHashing ?? config.useHostnameForHashing) === true;
      return {
        policy: ringHash({ ...config, useHostname }, sink),
        isLocalityWeighted: config.localityWeightedLbConfig !== undefined,
      };
    }
    case `${prefix}.maglev.v3.Maglev`: {
      const config = unpackAny(any, `${prefix}.maglev.v3.Maglev`);
      const hashing = config.consistentHashingLbConfig;
      if (hashing?.hashBalanceFactor !== undefined) refuseBalanceFactor(sink);
      const useHostname = hashing?.useHostnameForHashing === true;
      return {
        policy: maglev({ ...config, useHostname }, sink),
        isLocalityWeighted: config.localityWeightedLbConfig !== undefined,
      };
    }
    case `${prefix}.cluster_provided.v3.ClusterProvided`:
      return { policy: { kind: 'cluster-provided' }, isLocalityWeighted: false };
    default:
      return null;
  }
}

function isWeighted(config: envoy.extensions.load_balancing_policies.common.v3.LocalityLbConfig | undefined): boolean {
  return config?.localityWeightedLbConfig !== undefined;
}
