// IP addresses as bytes and as text.

import { isIP, SocketAddress } from 'node:net';

/** 4 or 16 bytes in network order, or null for text that is no address. A zone (`%eth0`) is left out. */
export function ipBytes(text: string): number[] | null {
  const zone = text.indexOf('%');
  const plain = zone < 0 ? text : text.slice(0, zone);
  const kind = isIP(plain);
  if (kind === 0) return null;
  return kind === 4 ? plain.split('.').map(Number) : ipv6Bytes(plain);
}

function ipv6Bytes(text: string): number[] {
  const [head = '', tail] = text.split('::');
  const before = groupBytes(head);
  if (tail === undefined) return before;
  const after = groupBytes(tail);
  return [...before, ...new Array<number>(16 - before.length - after.length).fill(0), ...after];
}

function groupBytes(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (group.includes('.')) return group.split('.').map(Number);
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}

/** The one way to write an address, as sockets tell it: IPv6 shortened, `::ffff:a.b.c.d` as IPv4. Other text stays as it is. */
export function canonicalIp(text: string): string {
  if (isIP(text) !== 6) return text;
  const { address } = new SocketAddress({ address: text, family: 'ipv6' });
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}
