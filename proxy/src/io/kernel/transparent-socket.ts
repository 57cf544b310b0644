// A socket that takes connections to any address (IP_TRANSPARENT): what TPROXY rules hand over arrives there with its destination
// as the local address.

import { isIP } from 'node:net';
import type { Endpoint } from '../connection-info.ts';
import { type Libc, loadLibc } from './libc.ts';
import { encodeSocketAddress, newStreamSocket } from './socket-address.ts';

const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_REUSEPORT = 15;
const SOL_IP = 0;
const IP_TRANSPARENT = 19;
const SOL_IPV6 = 41;
const IPV6_V6ONLY = 26;
const IPV6_TRANSPARENT = 75;

const on = new Int32Array([1]);
const off = new Int32Array([0]);

/** A bound descriptor for `server.listen({ fd })`, or the error of a listener that cannot listen. */
export function bindTransparent(at: Endpoint, isIpv6Only: boolean, isShared = false): number | Error {
  const libc = loadLibc();
  if ('reason' in libc) return new Error(libc.reason);
  const isSix = isIP(at.address) === 6;
  const fd = newStreamSocket(libc, isSix ? 6 : 4);
  if (fd < 0) return new Error(libc.errno());
  const problem =
    isShared && !share(libc, fd) ? libc.errno() : setUp(libc, fd, at, isSix ? (isIpv6Only ? on : off) : null);
  if (problem === '') return fd;
  libc.close(fd);
  return new Error(problem);
}

// Other threads may bind the same address.
function share(libc: Libc, fd: number): boolean {
  return libc.setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, on, 4) === 0;
}

// `ipv6Only` is null for IPv4.
function setUp(libc: Libc, fd: number, at: Endpoint, ipv6Only: Int32Array | null): string {
  const set = (level: number, name: number, value: Int32Array): boolean =>
    libc.setsockopt(fd, level, name, value, 4) === 0;
  if (!set(SOL_SOCKET, SO_REUSEADDR, on)) return libc.errno();
  if (ipv6Only !== null && !set(SOL_IPV6, IPV6_V6ONLY, ipv6Only)) return libc.errno();
  const isTransparent = ipv6Only === null ? set(SOL_IP, IP_TRANSPARENT, on) : set(SOL_IPV6, IPV6_TRANSPARENT, on);
  if (!isTransparent) {
    return `${libc.errno()}: a transparent listener needs the capability CAP_NET_ADMIN; give it to the proxy, or redirect connections in place of TPROXY`;
  }
  const address = encodeSocketAddress(at);
  return libc.bind(fd, address, address.length) === 0 ? '' : libc.errno();
}
