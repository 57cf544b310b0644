// Names of hosts: short names resolved, wildcards compared, visibility between namespaces.

/** `reviews` of namespace `default` is `reviews.default.svc.cluster.local`; a name with a dot or a wildcard stays as it is. */
export function resolveHost(host: string, namespace: string, clusterDomain: string): string {
  if (host.includes('.') || host.startsWith('*')) return host.toLowerCase();
  return `${host.toLowerCase()}.${namespace}.svc.${clusterDomain}`;
}

/** Whether a host that may be `*` or `*.suffix` covers another, which may itself be a wildcard. */
export function hostCovers(pattern: string, host: string): boolean {
  if (pattern === host || pattern === '*') return true;
  if (!pattern.startsWith('*')) return false;
  const bare = host.startsWith('*') ? host.slice(1) : host;
  const suffix = pattern.slice(1);
  return bare.endsWith(suffix) && bare.length >= suffix.length && host !== suffix.slice(1);
}

/** What two host patterns have in common: the narrower one, or null when nothing has both. */
export function hostIntersection(a: string, b: string): string | null {
  if (hostCovers(a, b)) return b;
  return hostCovers(b, a) ? a : null;
}

/** Sorts the more specific host first: exact names, then longer wildcards, `*` last. */
export function bySpecificity(a: string, b: string): number {
  const [wildA, wildB] = [a.startsWith('*'), b.startsWith('*')];
  if (wildA !== wildB) return wildA ? 1 : -1;
  if (a.length !== b.length) return b.length - a.length;
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Whether a resource of namespace `owner` with that `exportTo` is seen from `viewer`. Absent means everywhere. */
export function isVisible(exportTo: readonly string[] | undefined, owner: string, viewer: string): boolean {
  if (exportTo === undefined || exportTo.length === 0) return true;
  return exportTo.some((entry) => entry === '*' || entry === viewer || (entry === '.' && owner === viewer));
}

/** Whether labels have every wanted pair. No wanted pairs fit everything. */
export function labelsFit(
  wanted: Readonly<Record<string, string>> | undefined,
  labels: Readonly<Record<string, string>>,
): boolean {
  if (wanted === undefined) return true;
  for (const key of Object.keys(wanted)) {
    if (labels[key] !== wanted[key]) return false;
  }
  return true;
}
