// What the connections of a cluster say first when its endpoints want to know whom they are for (Envoy: ProxyProtocolUpstreamTransport).

import type { envoy } from '@weft/api/xds/types';
import type { ConnectionInfo } from '../io/connection-info.ts';
import { encodeHeader, localV2, tlvBytes, unknownV1 } from '../protocol/proxy-protocol/encode.ts';
import type { ProxyTlv, ProxyVersion } from '../protocol/proxy-protocol/header.ts';
import { compileTlvChoice, type TlvChoice } from '../protocol/proxy-protocol/tlv-choice.ts';

/** Room for TLVs behind IPv6 addresses in the 16 bits of a header's length. */
const maxTlvBytes = 0xffff - 36;

export class ProxyHeaderWriter {
  private readonly version: ProxyVersion;
  private readonly passes: TlvChoice;

  constructor(version: ProxyVersion, passes: TlvChoice) {
    this.version = version;
    this.passes = passes;
  }

  /** For connections of the proxy's own. */
  get forNobody(): Buffer {
    return this.version === 1 ? unknownV1 : localV2;
  }

  /** For a connection that carries what that client sends. */
  headerFor(client: ConnectionInfo): Buffer {
    const source = { address: client.remoteAddress, port: client.remotePort };
    const destination = { address: client.localAddress, port: client.localPort };
    return encodeHeader({ version: this.version, ends: { source, destination }, tlvs: this.tlvsOf(client) });
  }

  // Those that came with the client's own header; one that does not fit is left out.
  private tlvsOf({ tlvs }: ConnectionInfo): readonly ProxyTlv[] {
    if (tlvs.length === 0 || this.version === 1) return [];
    let leftBytes = maxTlvBytes;
    return tlvs.filter((tlv) => {
      if (!this.passes(tlv.type) || tlvBytes(tlv) > leftBytes) return false;
      leftBytes -= tlvBytes(tlv);
      return true;
    });
  }
}

export function compileProxyHeader(config: envoy.config.core.v3.ProxyProtocolConfig | undefined): ProxyHeaderWriter {
  return new ProxyHeaderWriter(config?.version === 'V2' ? 2 : 1, compileTlvChoice(config?.passThroughTlvs));
}
