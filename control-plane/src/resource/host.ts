// Host names of resources: short names, wildcards, and which hosts overlap.

import { isIP } from 'node:net';

/** Suffix of the hosts of Services. */
export const serviceDomain = 'svc.cluster.local';

/** The host that a Service is called by. */
export function serviceHost(name: string, namespace: string): string {
  return `${name}.${namespace}.${serviceDomain}`;
}

/** The full host that a resource of `namespace` means: a name without dots is a Service of that namespace. */
export function resolveHost(host: string, namespace: string): string {
  if (host === '*' || host.includes('.') || isIP(host) !== 0) return host.toLowerCase();
  return serviceHost(host.toLowerCase(), namespace);
}

/** Whether `pattern` (a host, `*` or `*.suffix`) covers every host that `host` (the same forms) stands for. */
export function coversHost(pattern: string, host: string): boolean {
  if (pattern === '*' || pattern === host) return true;
  return pattern.startsWith('*') && host.endsWith(pattern.slice(1)) && host.length > pattern.length - 1;
}

/** Whether some host fits both. */
export function hostsOverlap(a: string, b: string): boolean {
  return coversHost(a, b) || coversHost(b, a);
}

const labelPattern = /^[A-Za-z0-9_](?:[-A-Za-z0-9_]{0,61}[A-Za-z0-9_])?$/;

/** Whether it is a DNS name; underscores are let through, as real names have them. */
export function isDnsName(host: string): boolean {
  const name = host.endsWith('.') ? host.slice(0, -1) : host;
  return name.length > 0 && name.length <= 253 && name.split('.').every((label) => labelPattern.test(label));
}

/** Whether it is a DNS name, `*`, or `*.` with a DNS name. */
export function isHostPattern(host: string): boolean {
  if (host === '*') return true;
  return isDnsName(host.startsWith('*.') ? host.slice(2) : host);
}
