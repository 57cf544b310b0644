// What stands for a host where requests are spread by hash.

import type { Host } from '../host.ts';

/** `hash_key` of the endpoint's `envoy.lb` metadata, else its name or its address. */
export function hashKey(host: Host, useHostname: boolean): string {
  const lb = host.metadata?.['envoy.lb'];
  if (
    typeof lb === 'object' &&
    lb !== null &&
    'hash_key' in lb &&
    typeof lb.hash_key === 'string' &&
    lb.hash_key !== ''
  ) {
    return lb.hash_key;
  }
  return useHostname && host.hostname !== '' ? host.hostname : host.key;
}
