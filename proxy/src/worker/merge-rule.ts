// How one metric of the process comes from those of its threads.

/**
 * `sum`: each thread counts its own part. `main`: every thread says the same, the main thread says it. `least` and `most`: threads
 * see it differently, the worst holds.
 */
export type MergeRule = 'sum' | 'main' | 'least' | 'most';

/** Scopes about configuration: every thread makes every change. */
const mainScope =
  /^(?:cluster_manager(?:\..*)?|listener_manager(?:\..*)?|control_plane|rds|sds|server|access_log|workers)$/;

/** Of a cluster: what is configured, and the breakers, which count for all threads. */
const mainMetric = /^(?:membership_change|update_.*|init_fetch_timeout|circuit_breakers\..*)$/;

/** Of a cluster: each worker ejects for itself, and has its own hosts where those are made on demand. */
const worstMetric = /^(?:membership_total|membership_degraded|outlier_detection\.ejections_active)$/;

export function mergeRule(prefix: string, name: string): MergeRule {
  // Each thread comes upon its own.
  if (prefix === 'server' && name === 'envoy_bug_failures') return 'sum';
  if (mainScope.test(prefix)) return 'main';
  if (prefix !== 'cluster') return 'sum';
  if (mainMetric.test(name)) return 'main';
  if (name === 'membership_healthy') return 'least';
  return worstMetric.test(name) ? 'most' : 'sum';
}
