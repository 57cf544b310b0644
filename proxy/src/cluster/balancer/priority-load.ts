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

export interface LoadSettings {
  readonly panicPercent: number;
  readonly overprovisioningPercent: number;
}

interface Health {
  readonly healthy: number;
  readonly degraded: number;
  readonly healthyPercent: number;
}

export function spreadLoad(
  levels: readonly Level[],
  settings: LoadSettings,
): { loads: PriorityLoad[]; panicking: boolean[] } {
  const health = levels.map((level) => measure(level, settings.overprovisioningPercent));
  const available = health.reduce((sum, level) => sum + level.healthy + level.degraded, 0);
  const panicking = levels.map((level, i) => {
    const { healthyPercent } = health[i] as Health;
    return available < 100 && level.hosts.length > 0 && healthyPercent < settings.panicPercent;
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

function measure(level: Level, overprovisioningPercent: number): Health {
  const count = level.hosts.length;
  if (count === 0) return { healthy: 0, degraded: 0, healthyPercent: 0 };
  let healthy = 0;
  let degraded = 0;
  for (const host of level.hosts) {
    if (!host.healthy) continue;
    if (host.health === 'degraded') degraded++;
    else healthy++;
  }
  return {
    healthy: Math.min(100, (overprovisioningPercent * healthy) / count),
    degraded: Math.min(100, (overprovisioningPercent * degraded) / count),
    // Envoy counts degraded hosts as able to work when it looks for panic.
    healthyPercent: (100 * (healthy + degraded)) / count,
  };
}

/** Whether a host belongs to that group now. */
export function isOfKind(host: Host, kind: HealthKind): boolean {
  if (kind === 'all') return true;
  return host.healthy && (host.health === 'degraded') === (kind === 'degraded');
}
