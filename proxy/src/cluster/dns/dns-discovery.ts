// Keeps the endpoints of a DNS cluster as the names resolve: STRICT_DNS makes every address a host, LOGICAL_DNS keeps one host whose
// address follows. A failed refresh keeps what was known.

import { isIP } from 'node:net';
import type { Clock, Timer } from '@weft/lib/clock';
import type { Scope } from '@weft/lib/metrics';
import type { DnsConfig } from '../cluster-config.ts';
import type { Discovery, DiscoveryEvents } from '../discovery.ts';
import { type AssignmentSpec, type EndpointSpec, hostKey, type LocalitySpec } from '../endpoint-spec.ts';
import type { DnsAnswer, DnsResolver } from './resolver.ts';

export interface DnsContext {
  readonly clock: Clock;
  readonly resolver: DnsResolver;
  readonly scope: Scope;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** One name and what is known of it. */
class Target {
  readonly name: string;
  addresses: readonly string[] = [];
  hasAnswered = false;
  failures = 0;
  timer: Timer | null = null;
  readonly discovery: DnsDiscovery;

  constructor(discovery: DnsDiscovery, name: string) {
    this.discovery = discovery;
    this.name = name;
  }
}

export class DnsDiscovery implements Discovery {
  private readonly template: AssignmentSpec;
  private readonly config: DnsConfig;
  private readonly isLogical: boolean;
  private readonly context: DnsContext;
  private readonly events: DiscoveryEvents;
  private readonly targets: Map<string, Target> = new Map();
  private isStopped = false;
  private isWarm = false;

  constructor(
    template: AssignmentSpec,
    config: DnsConfig,
    isLogical: boolean,
    context: DnsContext,
    events: DiscoveryEvents,
  ) {
    this.template = template;
    this.config = config;
    this.isLogical = isLogical;
    this.context = context;
    this.events = events;
    for (const endpoint of template.localities.flatMap((locality) => locality.endpoints)) {
      if (isResolved(endpoint) || this.targets.has(endpoint.address)) continue;
      this.targets.set(endpoint.address, new Target(this, endpoint.address));
    }
  }

  start(): void {
    if (this.targets.size === 0) this.publish();
    for (const target of this.targets.values()) this.ask(target);
  }

  stop(): void {
    this.isStopped = true;
    for (const target of this.targets.values()) target.timer?.stop();
  }

  /** Resolves one name now. */
  ask(target: Target): void {
    if (this.isStopped) return;
    target.timer = null;
    this.context.scope.counter('update_attempt').inc();
    this.context.resolver.resolve(target.name, this.config.family).then(
      (answer) => this.onAnswer(target, answer),
      () => this.onFailure(target),
    );
  }

  private onAnswer(target: Target, answer: DnsAnswer): void {
    if (this.isStopped) return;
    // The one host of a logical cluster is worth more than a name server that has nothing for a moment.
    if (this.isLogical && answer.addresses.length === 0 && target.addresses.length > 0) {
      this.onFailure(target);
      return;
    }
    this.context.scope.counter('update_success').inc();
    target.failures = 0;
    // Which address comes first is the name server's choice; where all are used the order says nothing.
    const addresses = this.isLogical ? answer.addresses : [...new Set(answer.addresses)].sort();
    const isSame = target.hasAnswered && addresses.join() === target.addresses.join();
    target.hasAnswered = true;
    target.addresses = addresses;
    const { isTtlRespected, refreshMs } = this.config;
    // A lifetime of zero would mean to ask for ever without a pause.
    const hasTtl = isTtlRespected && answer.ttlMs !== null && answer.ttlMs > 0;
    this.askAgain(target, hasTtl ? (answer.ttlMs as number) : refreshMs);
    if (isSame) this.context.scope.counter('update_no_rebuild').inc();
    else this.publish();
  }

  private onFailure(target: Target): void {
    if (this.isStopped) return;
    this.context.scope.counter('update_failure').inc();
    const { failureBaseMs, failureMaxMs } = this.config;
    const ceilingMs = Math.min(failureMaxMs, failureBaseMs * 2 ** Math.min(target.failures, 20));
    target.failures++;
    const isFirst = !target.hasAnswered;
    target.hasAnswered = true;
    // Jitter, so that many proxies do not ask a recovering server in step.
    this.askAgain(target, Math.max(failureBaseMs / 2, ceilingMs * (0.5 + this.context.random() / 2)));
    if (isFirst) this.publish();
  }

  private askAgain(target: Target, delayMs: number): void {
    target.timer = this.context.clock.start(delayMs, onDue, target);
  }

  private publish(): void {
    const localities = this.template.localities.map((locality) => this.resolveLocality(locality));
    this.events.onAssignment({ ...this.template, localities });
    const isComplete = [...this.targets.values()].every((target) => target.hasAnswered);
    if (this.isWarm || !isComplete) return;
    this.isWarm = true;
    this.events.onWarm();
  }

  private resolveLocality(locality: LocalitySpec): LocalitySpec {
    const endpoints = locality.endpoints.flatMap((endpoint): EndpointSpec[] => {
      if (isResolved(endpoint)) return [endpoint];
      const addresses = this.targets.get(endpoint.address)?.addresses ?? [];
      return this.isLogical
        ? logicalHost(endpoint, addresses)
        : addresses.map((address) => strictHost(endpoint, address));
    });
    return { ...locality, endpoints };
  }
}

function isResolved(endpoint: EndpointSpec): boolean {
  return endpoint.isPipe || endpoint.internalListener !== null || isIP(endpoint.address) !== 0;
}

function strictHost(endpoint: EndpointSpec, address: string): EndpointSpec {
  return { ...endpoint, address, key: hostKey(address, endpoint.port) };
}

// The key stays the name: the host and its pool outlive a change of address.
function logicalHost(endpoint: EndpointSpec, addresses: readonly string[]): EndpointSpec[] {
  const [address] = addresses;
  return address === undefined ? [] : [{ ...endpoint, address }];
}

function onDue(target: Target): void {
  target.discovery.ask(target);
}
