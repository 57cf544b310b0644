// IP addresses and CIDR ranges of resources.

import { isIP, isIPv4, isIPv6 } from 'node:net';

/** Whether it is an address such as 10.0.0.1 or a range such as 10.0.0.0/8, of either family. */
export function isAddressOrRange(text: string): boolean {
  const slash = text.indexOf('/');
  if (slash < 0) return isIP(text) !== 0;
  const bits = text.slice(slash + 1);
  if (!/^\d{1,3}$/.test(bits)) return false;
  const address = text.slice(0, slash);
  return (isIPv4(address) && Number(bits) <= 32) || (isIPv6(address) && Number(bits) <= 128);
}
