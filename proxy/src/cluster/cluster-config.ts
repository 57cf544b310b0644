// From `envoy.config.cluster.v3.Cluster` to all that a running cluster reads, with every finding reported at once.

import { isIP } from 'node:net';
import type { envoy, google } from '@weft/api/xds/types';
import { fetchTimeoutMs } from '@weft/lib/fetch-timeout';
import type { Origin } from '@weft/lib/issue';
import type { MetricsRegistry, Scope } from '@weft/lib/metrics';
import { durationMs } from '@weft/lib/protobuf/duration';
import { type IssueSink, reportError, sinkAt } from '../security/data-source.ts';
import type { SecretSet } from '../security/secret-set.ts';
import type { BalancerSettings } from './balancer/picker.ts';
import { compileBalancer } from './balancer-config.ts';
import { type BreakerConfig, compileBreakers } from './breaker/breaker-config.ts';
import type { DnsFamily } from './dns/resolver.ts';
import { type AssignmentSpec, compileAssignment, emptyAssignment } from './endpoint-spec.ts';
import { originOf, weftMetadata } from './origin.ts';
import { compileOutlier, type OutlierConfig } from './outlier/outlier-config.ts';
import { compileProtocolOptions, type ProtocolOptions } from './protocol-options.ts';
import { compileSourceAddresses, type SourceAddress } from './source-address.ts';
import { compileTransport, type Transport } from './transport.ts';

export type ClusterMessage = envoy.config.cluster.v3.Cluster;
export type ClusterType = 'STATIC' | 'STRICT_DNS' | 'LOGICAL_DNS' | 'EDS' | 'ORIGINAL_DST';

/** How long TCP waits before it asks an idle peer for life; null leaves it off. */
export interface KeepAlive {
  readonly idleMs: number;
}

export interface DnsConfig {
  readonly family: DnsFamily;
  readonly refreshMs: number;
  readonly isTtlRespected: boolean;
  readonly failureBaseMs: number;
  readonly failureMaxMs: number;
}

export interface EdsConfig {
  /** What EDS calls this cluster. */
  readonly serviceName: string;
  /** How long warming waits; 0 for ever. */
  readonly initialFetchTimeoutMs: number;
}

export interface OriginalDstConfig {
  /** Lower-case name of the request header that overrides the destination, or null. */
  readonly header: string | null;
  /** The header may hold a name, and leave the port out. */
  readonly takesNames: boolean;
  /** 0: the port of the destination. */
  readonly portOverride: number;
  readonly cleanupMs: number;
}

export interface ClusterConfig {
  readonly name: string;
  readonly type: ClusterType;
  readonly message: ClusterMessage;
  readonly origin: Origin | null;
  readonly scope: Scope;
  readonly connectTimeoutMs: number;
  readonly bufferLimitBytes: number;
  readonly protocol: ProtocolOptions;
  readonly transport: Transport;
  readonly breakers: BreakerConfig;
  readonly balancer: BalancerSettings;
  readonly outlier: OutlierConfig | null;
  readonly keepAlive: KeepAlive | null;
  readonly sources: readonly SourceAddress[] | null;
  readonly assignment: AssignmentSpec;
  readonly dns: DnsConfig | null;
  readonly eds: EdsConfig | null;
  readonly originalDst: OriginalDstConfig | null;
}

export interface ClusterCompileContext {
  readonly secrets: SecretSet;
  readonly metrics: MetricsRegistry;
}

const types: ReadonlySet<string> = new Set(['STATIC', 'STRICT_DNS', 'LOGICAL_DNS', 'EDS', 'ORIGINAL_DST']);
const defaultBufferLimit = 1024 * 1024;

/** Complete only when nothing was reported as an error. */
export function compileCluster(
  message: ClusterMessage,
  context: ClusterCompileContext,
  sink: IssueSink,
): ClusterConfig {
  const name = message.name ?? '';
  if (name === '') reportError(sinkAt(sink, 'name'), 'WEFT0350', 'the cluster has no name; give it one');
  const type = compileType(message, sink);
  const scope = context.metrics.scope({
    prefix: 'cluster',
    tag: 'envoy_cluster_name',
    value: message.altStatName || name,
  });
  const protocol = compileProtocolOptions(message, sink);
  if (isEncrypted(message)) checkAutoSni(protocol, type, sink);
  return {
    name,
    type,
    message,
    origin: originOf(message.metadata),
    scope,
    connectTimeoutMs: positive(message.connectTimeout, 5000, sinkAt(sink, 'connect_timeout')),
    bufferLimitBytes: message.perConnectionBufferLimitBytes ?? defaultBufferLimit,
    protocol,
    transport: compileTransport(
      message.transportSocket,
      message.transportSocketMatches ?? [],
      { secrets: context.secrets, scope },
      sink,
    ),
    breakers: compileBreakers(message.circuitBreakers, sinkAt(sink, 'circuit_breakers')),
    balancer: compileBalancer(message, sink),
    outlier:
      message.outlierDetection === undefined
        ? null
        : compileOutlier(message.outlierDetection, sinkAt(sink, 'outlier_detection')),
    keepAlive: compileKeepAlive(message),
    sources: compileSourceAddresses(message.upstreamBindConfig, sinkAt(sink, 'upstream_bind_config')),
    assignment: compileHosts(message, type, sink),
    dns: type === 'STRICT_DNS' || type === 'LOGICAL_DNS' ? compileDns(message, sink) : null,
    eds: type === 'EDS' ? compileEds(message) : null,
    originalDst: type === 'ORIGINAL_DST' ? compileOriginalDst(message, sink) : null,
  };
}

function compileType(message: ClusterMessage, sink: IssueSink): ClusterType {
  if (message.clusterType !== undefined) {
    const problem = `clusters of type "${message.clusterType.name ?? ''}" are not carried out; use one of ${[...types].join(', ')}`;
    reportError(sinkAt(sink, 'cluster_type'), 'WEFT0359', problem);
    return 'STATIC';
  }
  const type = message.type ?? 'STATIC';
  if (types.has(type)) return type;
  reportError(sinkAt(sink, 'type'), 'WEFT0359', `${type} is no cluster type; use one of ${[...types].join(', ')}`);
  return 'STATIC';
}

function isEncrypted(message: ClusterMessage): boolean {
  return message.transportSocket !== undefined || (message.transportSocketMatches ?? []).length > 0;
}

// One pool per host serves every request, so the name cannot come from each request; DNS gives every host one name.
function checkAutoSni(protocol: ProtocolOptions, type: ClusterType, sink: IssueSink): void {
  const isNamed = type === 'STRICT_DNS' || type === 'LOGICAL_DNS';
  if (isNamed || !(protocol.isAutoSni || protocol.isAutoSanValidated)) return;
  const problem = `auto_sni and auto_san_validation take the name from DNS and need STRICT_DNS or LOGICAL_DNS; in ${type} clusters set sni`;
  reportError(sinkAt(sink, 'upstream_http_protocol_options'), 'WEFT0366', problem);
}

function positive(duration: google.protobuf.Duration | undefined, unsetMs: number, sink: IssueSink): number {
  if (duration === undefined) return unsetMs;
  const ms = durationMs(duration);
  if (ms <= 0) reportError(sink, 'WEFT0358', 'the time must be more than zero');
  return ms;
}

function compileKeepAlive(message: ClusterMessage): KeepAlive | null {
  const keepAlive = message.upstreamConnectionOptions?.tcpKeepalive;
  if (keepAlive === undefined) return null;
  // The system's own default where no time is given.
  return { idleMs: (keepAlive.keepaliveTime ?? 7200) * 1000 };
}

function compileHosts(message: ClusterMessage, type: ClusterType, sink: IssueSink): AssignmentSpec {
  const config = message.loadAssignment;
  if (config === undefined) return emptyAssignment;
  const below = sinkAt(sink, 'load_assignment');
  if (type === 'EDS' || type === 'ORIGINAL_DST') {
    reportError(
      below,
      'WEFT0367',
      `clusters of type ${type} get their endpoints elsewhere; remove load_assignment or change the type`,
    );
    return emptyAssignment;
  }
  const namesAllowed = type !== 'STATIC';
  const assignment = compileAssignment(config, { namesAllowed }, below);
  const count = assignment.localities.reduce((sum, locality) => sum + locality.endpoints.length, 0);
  if (type === 'LOGICAL_DNS' && count !== 1) {
    reportError(
      below,
      'WEFT0367',
      `a LOGICAL_DNS cluster has exactly one endpoint, this one has ${count}; use STRICT_DNS`,
    );
  }
  return assignment;
}

function compileDns(message: ClusterMessage, sink: IssueSink): DnsConfig {
  const refreshMs = positive(message.dnsRefreshRate, 5000, sinkAt(sink, 'dns_refresh_rate'));
  const failure = message.dnsFailureRefreshRate;
  const failureBaseMs = failure === undefined ? refreshMs : durationMs(failure.baseInterval);
  const failureMaxMs =
    failure?.maxInterval === undefined
      ? failureBaseMs * (failure === undefined ? 1 : 10)
      : durationMs(failure.maxInterval);
  if (failureBaseMs <= 0 || failureMaxMs < failureBaseMs) {
    const problem = 'the base interval must be more than zero and no more than the maximum';
    reportError(sinkAt(sink, 'dns_failure_refresh_rate'), 'WEFT0358', problem);
  }
  return {
    family: compileFamily(message.dnsLookupFamily, sinkAt(sink, 'dns_lookup_family')),
    refreshMs,
    isTtlRespected: message.respectDnsTtl === true,
    failureBaseMs,
    failureMaxMs,
  };
}

const families: readonly DnsFamily[] = ['AUTO', 'V4_ONLY', 'V6_ONLY', 'V4_PREFERRED', 'ALL'];

function compileFamily(given: ClusterMessage['dnsLookupFamily'], sink: IssueSink): DnsFamily {
  const family = families.find((one) => one === (given ?? 'AUTO'));
  if (family === undefined) reportError(sink, 'WEFT0368', `${given} is no family; use one of ${families.join(', ')}`);
  return family ?? 'AUTO';
}

function compileEds(message: ClusterMessage): EdsConfig {
  return {
    serviceName: message.edsClusterConfig?.serviceName || (message.name ?? ''),
    initialFetchTimeoutMs: fetchTimeoutMs(message.edsClusterConfig?.edsConfig),
  };
}

function compileOriginalDst(message: ClusterMessage, sink: IssueSink): OriginalDstConfig {
  const config = message.originalDstLbConfig;
  if (message.lbPolicy !== 'CLUSTER_PROVIDED' && message.loadBalancingPolicy === undefined) {
    reportError(
      sinkAt(sink, 'lb_policy'),
      'WEFT0363',
      'an ORIGINAL_DST cluster chooses the host itself; set lb_policy to CLUSTER_PROVIDED',
    );
  }
  if (config?.metadataKey !== undefined) {
    reportError(
      sinkAt(sink, 'original_dst_lb_config.metadata_key'),
      'WEFT0362',
      'destinations from metadata are not carried out; use a header',
    );
  }
  const header = config?.useHttpHeader === true ? config.httpHeaderName || 'x-envoy-original-dst-host' : null;
  return {
    header: header === null ? null : header.toLowerCase(),
    takesNames: weftMetadata(message.metadata)?.takesNames === true,
    portOverride: config?.upstreamPortOverride ?? 0,
    cleanupMs: positive(message.cleanupInterval, 5000, sinkAt(sink, 'cleanup_interval')),
  };
}

/** Whether a DNS cluster has to resolve that endpoint. */
export function isName(address: string): boolean {
  return isIP(address) === 0;
}
