// Connections that rules of the kernel redirected here: their destination restored, and the listener of that destination found
// (Envoy: original_dst, use_original_dst).

import { isIP, type Socket } from 'node:net';
import type { envoy } from '@weft/api/xds/types';
import { canonicalIp } from '@weft/lib/ip-address';
import { typeNameOf } from '@weft/lib/protobuf/codec';
import type { Endpoint } from '../io/connection-info.ts';
import { loadLibc } from '../io/kernel/libc.ts';
import { type DestinationReader, destinationReader } from '../io/kernel/original-destination.ts';
import type { SocketInfo } from '../io/socket-info.ts';
import type { CompilePlace } from '../network-filter/network-context.ts';

type Config = envoy.config.listener.v3.Listener;

export const originalDestinationType = 'envoy.extensions.filters.listener.original_dst.v3.OriginalDst';

/** What a listener does with redirected connections. */
export class Redirection {
  /** Whether they go to the listener of their destination, if there is one. */
  readonly handsOff: boolean;
  private readonly isTransparent: boolean;
  private readonly reader: DestinationReader;

  constructor(config: Config, reader: DestinationReader) {
    this.handsOff = config.useOriginalDst === true;
    this.isTransparent = config.transparent === true;
    this.reader = reader;
  }

  /**
   * Null for a connection that nobody redirected: its destination is the listener itself, and to send it on there would go round
   * in a circle. `ownPort` is the listener's; a transparent socket has the destination for its own end (TPROXY).
   */
  read(socket: Socket, info: SocketInfo, ownPort: number): Endpoint | null {
    const own = { address: info.directLocalAddress, port: info.directLocalPort };
    if (own.address === '') return null;
    if (this.isTransparent && own.port !== ownPort) return own;
    const asked = this.reader.read(socket, own.address.includes(':') ? 6 : 4);
    return asked === null || (asked.port === own.port && asked.address === own.address) ? null : asked;
  }
}

/** Null where the listener does not ask, and after reporting that this machine cannot tell. As Envoy, `use_original_dst` asks too. */
export function compileRedirection(config: Config, place: CompilePlace): Redirection | null {
  const filters = config.listenerFilters ?? [];
  const index = filters.findIndex(
    ({ typedConfig }) => typedConfig !== undefined && typeNameOf(typedConfig) === originalDestinationType,
  );
  if (index < 0 && config.useOriginalDst !== true) return null;
  // No socket is accepted here: another listener hands over what it restored, a tunnel names its destination itself.
  if (config.internalListener !== undefined || config.bindToPort === false) return null;
  const reader = destinationReader();
  if (!('reason' in reader)) return new Redirection(config, reader);
  const path = index < 0 ? `${place.path}.use_original_dst` : `${place.path}.listener_filters[${index}]`;
  place.issues.push({ code: reader.code, level: 'error', path, message: reader.reason });
  return null;
}

/** Reports where a transparent listener can be no such. */
export function checkTransparent(config: Config, place: CompilePlace): void {
  if (config.transparent !== true) return;
  const path = `${place.path}.transparent`;
  const libc = loadLibc();
  if ('reason' in libc) place.issues.push({ code: libc.code, level: 'error', path, message: libc.reason });
  else if (config.internalListener !== undefined || config.address?.pipe !== undefined) {
    const message = 'only a listener with an IP address takes connections to other addresses; remove transparent';
    place.issues.push({ code: 'WEFT0853', level: 'error', path, message });
  }
}

/** Finds listeners by the address that connections were going to. */
export interface ListenerDirectory<T> {
  find(destination: Endpoint): T | null;
}

interface Entry<T> {
  readonly listener: T;
  /** An IPv6 wildcard that takes IPv4 too. */
  readonly takesBoth: boolean;
}

/** Exact address first, then the wildcard of its family, as Envoy. */
export class DestinationIndex<T> implements ListenerDirectory<T> {
  private readonly entries: Map<string, Entry<T>> = new Map();

  /** The first one of an address keeps it. */
  add(at: Endpoint, takesBoth: boolean, listener: T): void {
    const key = keyOf(canonicalIp(at.address), at.port);
    if (!this.entries.has(key)) this.entries.set(key, { listener, takesBoth });
  }

  find({ address, port }: Endpoint): T | null {
    const exact = this.entries.get(keyOf(address, port));
    if (exact !== undefined) return exact.listener;
    const isFour = isIP(address) === 4;
    const own = isFour ? this.entries.get(keyOf('0.0.0.0', port)) : undefined;
    if (own !== undefined) return own.listener;
    const six = this.entries.get(keyOf('::', port));
    return six !== undefined && (!isFour || six.takesBoth) ? six.listener : null;
  }
}

function keyOf(address: string, port: number): string {
  return `${address} ${port}`;
}
