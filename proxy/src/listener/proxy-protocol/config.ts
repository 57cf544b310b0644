// `envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol` -> what reads the headers of one listener.

import type { envoy, google } from '@weft/api/xds/types';
import { messageOf } from '@weft/lib/error';
import type { ScopeSource } from '@weft/lib/metrics';
import { unpackAny } from '@weft/lib/protobuf/codec';
import type { CompilePlace } from '../../network-filter/network-context.ts';
import type { ProxyVersion } from '../../protocol/proxy-protocol/header.ts';
import { compileTlvChoice, type TlvChoice } from '../../protocol/proxy-protocol/tlv-choice.ts';
import { HeaderReader } from './header-reader.ts';
import { HeaderStats } from './header-stats.ts';

type Config = envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol;

export const proxyProtocolType = 'envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol';

const defaultNamespace = 'envoy.filters.listener.proxy_protocol';

/** What a filter takes out of a header besides the addresses. */
export interface TlvRules {
  /** Those that are kept for the upstream side. */
  readonly passes: TlvChoice;
  /** Those whose value becomes metadata of the connection. */
  readonly metadata: readonly TlvMetadata[];
}

export interface TlvMetadata {
  readonly type: number;
  readonly namespace: string;
  readonly key: string;
}

/** Compiles it; null after reporting errors. */
export function compileProxyProtocol(
  any: google.protobuf.Any,
  metrics: ScopeSource,
  place: CompilePlace,
): HeaderReader | null {
  try {
    return compile(unpackAny(any, proxyProtocolType), metrics, place);
  } catch (error) {
    place.issues.push({ code: 'WEFT0840', level: 'error', path: place.path, message: messageOf(error) });
    return null;
  }
}

function compile(config: Config, metrics: ScopeSource, place: CompilePlace): HeaderReader | null {
  const disallowed = (config.disallowedVersions ?? []).map((version): ProxyVersion => (version === 'V2' ? 2 : 1));
  const isOptional = config.allowRequestsWithoutProxyProtocol === true;
  if (!isOptional && disallowed.includes(1) && disallowed.includes(2)) {
    const message = 'no version is left and every connection needs a header, so none would be taken; allow one';
    place.issues.push({ code: 'WEFT0841', level: 'error', path: `${place.path}.disallowed_versions`, message });
    return null;
  }
  const metadata = (config.rules ?? []).flatMap(({ tlvType = 0, onTlvPresent }) => {
    if (onTlvPresent === undefined) return [];
    return {
      type: tlvType,
      namespace: onTlvPresent.metadataNamespace || defaultNamespace,
      key: onTlvPresent.key ?? '',
    };
  });
  const rules: TlvRules = { passes: compileTlvChoice(config.passThroughTlvs), metadata };
  return new HeaderReader({ disallowed, isOptional, rules }, new HeaderStats(metrics, config.statPrefix ?? ''));
}
