// How traffic spreads over priorities (Envoy: priority levels, degraded endpoints, panic threshold). A priority gets what its
// health can carry; the rest spills to the next. Shares are per cent.

import type { Host } from '../host.ts';

/** The hosts of one locality at one priority. */
export interface LevelLocality {
  readonly weight: number;
  readonly hosts: readonly Host[];
}

/** The hosts of one priority. */
export interface Level {
  readonly hosts: readonly Host[];
  readonly localities: readonly LevelLocality[];
}

export type HealthKind = 'healthy' | 'degraded' | 'all';

/** A group of hosts and its share of the traffic. */
export interface PriorityLoad {
  readonly priority: number;
  readonly kind: HealthKind;
  readonly share: number;
}

/** How the health of a priority is measured. */
export interface HealthRules {
  /** How far a priority may lose hosts before traffic spills over: 140. */
  readonly overprovisioningPercent: number;
  /** By weights instead of hosts. */
  readonly isHealthWeighted: boolean;
}

interface Health {
  readonly healthy: number;
  readonly degraded: number;
  readonly healthyPercent: number;
}

/** `panicPercent`: below this share of healthy hosts a level uses all of them. */
export function spreadLoad(
  levels: readonly Level[],
  rules: HealthRules,
  panicPercent: number,
): { loads: PriorityLoad[]; panicking: boolean[] } {
  const health = levels.map((level) => measure(level, rules));
  const available = health.reduce((sum, level) => sum + level.healthy + level.degraded, 0);
  const panicking = levels.map((level, i) => {
    const { healthyPercent } = health[i] as Health;
    return available < 100 && level.hosts.length > 0 && healthyPercent < panicPercent;
  });
  if (available === 0) return { loads: spreadInTotalPanic(levels, panicking), panicking };
  const total = Math.min(100, available);
  const healthy: PriorityLoad[] = [];
  const degraded: PriorityLoad[] = [];
  let left = 100;
  health.forEach((level, priority) => {
    const share = Math.min(left, (level.healthy * 100) / total);
    left -= share;
    healthy.push({ priority, kind: panicking[priority] === true ? 'all' : 'healthy', share });
  });
  health.forEach((level, priority) => {
    const share = Math.min(left, (level.degraded * 100) / total);
    left -= share;
    degraded.push({ priority, kind: panicking[priority] === true ? 'all' : 'degraded', share });
  });
  return { loads: [...healthy, ...degraded], panicking };
}

// Nothing is healthy anywhere: traffic follows the number of hosts where panic is allowed, else there is nowhere to go.
function spreadInTotalPanic(levels: readonly Level[], panicking: readonly boolean[]): PriorityLoad[] {
  const total = levels.reduce((sum, level, i) => sum + (panicking[i] === true ? level.hosts.length : 0), 0);
  return levels.flatMap((level, priority): PriorityLoad[] =>
    panicking[priority] === true ? [{ priority, kind: 'all', share: (level.hosts.length * 100) / total }] : [],
  );
}

function measure(level: Level, rules: HealthRules): Health {
  let total = 0;
  let healthy = 0;
  let degraded = 0;
  for (const host of level.hosts) {
    const share = rules.isHealthWeighted ? host.weight : 1;
    total += share;
    if (!host.healthy) continue;
    if (host.health === 'degraded') degraded += share;
    else healthy += share;
  }
  if (total === 0) return { healthy: 0, degraded: 0, healthyPercent: 0 };
  return {
    healthy: Math.min(100, (rules.overprovisioningPercent * healthy) / total),
    degraded: Math.min(100, (rules.overprovisioningPercent * degraded) / total),
    // Envoy counts degraded hosts as able to work when it looks for panic.
    healthyPercent: (100 * (healthy + degraded)) / total,
  };
}

/** Whether a host belongs to that group now. */
export function isOfKind(host: Host, kind: HealthKind): boolean {
  if (kind === 'all') return true;
  return host.healthy && (host.health === 'degraded') === (kind === 'degraded');
}
