// Keeps web pages out: a browser on this machine must not be talked into reading or changing the proxy.

import { isIP } from 'node:net';

/** The `Host` names that are served: addresses and `localhost`, never a name that someone else's DNS could point here. */
export function isServedHost(host: string): boolean {
  const name = hostName(host);
  return name !== null && (name === 'localhost' || name.endsWith('.localhost') || isIP(name) !== 0);
}

/** Whether a change may come from there: anything but a page of another origin. */
export function isOwnOrigin(origin: string | undefined, fetchSite: string | undefined, host: string): boolean {
  if (fetchSite === 'cross-site' || fetchSite === 'same-site') return false;
  if (origin === undefined) return true;
  return origin === `http://${host}`;
}

function hostName(host: string): string | null {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+))(?::\d{1,5})?$/.exec(host);
  return match === null ? null : (match[1] ?? match[2] ?? '').toLowerCase();
}
