// The local addresses that a cluster's connections start from (Envoy: upstream_bind_config).

import { isIP } from 'node:net';
import type { envoy } from '@weft/api/xds/types';
import { type IssueSink, reportError, sinkAt } from '../security/data-source.ts';

type BindConfig = envoy.config.core.v3.BindConfig;
type SocketAddress = envoy.config.core.v3.SocketAddress;

/** What `net.connect` takes. Port 0 leaves the port to the system. */
export interface SourceAddress {
  readonly localAddress: string;
  readonly localPort: number;
}

/** Null leaves the address to the system. */
export function compileSourceAddresses(
  config: BindConfig | undefined,
  sink: IssueSink,
): readonly SourceAddress[] | null {
  if (config === undefined) return null;
  const sources: SourceAddress[] = [];
  const add = (given: SocketAddress | undefined, path: string): void => {
    if (given === undefined) return;
    const { address = '', portValue = 0 } = given;
    if (isIP(address) !== 0) sources.push({ localAddress: address, localPort: portValue });
    else reportError(sinkAt(sink, path), 'WEFT0854', `'${address}' is not an IP address of this machine; give one`);
  };
  add(config.sourceAddress, 'source_address.address');
  for (const [i, extra] of (config.extraSourceAddresses ?? []).entries()) {
    add(extra.address, `extra_source_addresses[${i}].address.address`);
  }
  return sources.length === 0 ? null : sources;
}

/** The first of the endpoint's family. Where none is, the first: connecting fails, as it must not leave from another address. */
export function sourceFor(sources: readonly SourceAddress[], address: string): SourceAddress | null {
  const family = isIP(address);
  return sources.find(({ localAddress }) => isIP(localAddress) === family) ?? sources[0] ?? null;
}
