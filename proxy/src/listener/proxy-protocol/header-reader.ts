// The PROXY protocol on one listener: reads the header off a connection's first bytes, judges it, and tells the connection whom it is for.

import type { ConnectionInfo, Endpoint } from '../../io/connection-info.ts';
import { plainAddress } from '../../io/socket-info.ts';
import { decodeHeader, isMalformed, readSignature } from '../../protocol/proxy-protocol/decode.ts';
import type { ProxyEnd, ProxyHeader, ProxyTlv, ProxyVersion } from '../../protocol/proxy-protocol/header.ts';
import type { TlvRules } from './config.ts';
import type { HeaderStats } from './header-stats.ts';

export interface HeaderPolicy {
  readonly disallowed: readonly ProxyVersion[];
  /** Whether a connection may come without a header. */
  readonly isOptional: boolean;
  readonly rules: TlvRules;
}

const allVersions: readonly ProxyVersion[] = [1, 2];

/** `refused`: the connection is to be closed. Else how many bytes the header took: none where there is none. */
export type HeaderVerdict = 'more' | 'refused' | number;

export class HeaderReader {
  private readonly policy: HeaderPolicy;
  private readonly stats: HeaderStats;
  private readonly versions: readonly ProxyVersion[];

  constructor(policy: HeaderPolicy, stats: HeaderStats) {
    this.policy = policy;
    this.stats = stats;
    // Where a header may be missing, one of a disallowed version is as good as none: its bytes are the application's.
    this.versions = policy.isOptional ? allVersions.filter((one) => !policy.disallowed.includes(one)) : allVersions;
  }

  /** Looks at all bytes so far, from the first; what the header says goes to the connection. */
  read(bytes: Buffer, info: ConnectionInfo): HeaderVerdict {
    const version = readSignature(bytes, this.versions);
    if (version === 'more') return 'more';
    if (version === 'none') return this.notFound();
    const counters = this.stats.of(version);
    if (this.policy.disallowed.includes(version)) {
      counters.disallowed.inc();
      return this.refuse();
    }
    const result = decodeHeader(bytes, version);
    if (result === 'more') return 'more';
    if (isMalformed(result)) {
      counters.error.inc();
      return this.refuse();
    }
    counters.found.inc();
    this.tell(result.header, info);
    return result.length;
  }

  /** No whole header came in time, which is counted: whether the connection may go on without. */
  mayBeMissing(): boolean {
    return this.notFound() !== 'refused';
  }

  private notFound(): HeaderVerdict {
    if (this.policy.isOptional) {
      this.stats.notFoundAllowed.inc();
      return 0;
    }
    this.stats.notFoundDisallowed.inc();
    return this.refuse();
  }

  private refuse(): 'refused' {
    this.stats.connectionError.inc();
    return 'refused';
  }

  private tell({ ends, tlvs }: ProxyHeader, info: ConnectionInfo): void {
    const { rules } = this.policy;
    if (ends !== null) info.carry(endpoint(ends.source), endpoint(ends.destination));
    info.tlvs = tlvs.filter(({ type }) => rules.passes(type));
    for (const { type, namespace, key } of rules.metadata) {
      const tlv = tlvs.find((one) => one.type === type);
      if (tlv !== undefined) info.setMetadata(namespace, key, textOf(tlv));
    }
  }
}

function endpoint({ address, port }: ProxyEnd): Endpoint {
  return { address: plainAddress(address), port };
}

// As Envoy: bytes that are no text stand as `!`, so that every reader can show them.
function textOf({ value }: ProxyTlv): string {
  return value.toString('utf8').replaceAll('\ufffd', '!');
}
