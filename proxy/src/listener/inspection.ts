// What a connection's first bytes tell, for the choice of its filter chain (Envoy: proxy_protocol, tls_inspector, http_inspector).

import { maxHelloBytes, readClientHello } from './client-hello.ts';
import { detectHttp } from './http-detection.ts';
import type { HeaderReader } from './proxy-protocol/header-reader.ts';

/** Which inspectors a listener has. */
export interface InspectionPlan {
  /** Comes before the others, wherever it stands in the list: nothing else is to be seen before its header is off. */
  readonly proxyProtocol: HeaderReader | null;
  readonly tls: boolean;
  readonly http: boolean;
  /** 0 means no limit. */
  readonly timeoutMs: number;
  readonly continuesOnTimeout: boolean;
}

export interface Inspected {
  readonly transportProtocol: 'raw_buffer' | 'tls';
  readonly serverName: string;
  readonly alpn: readonly string[];
}

export const notInspected: Inspected = { transportProtocol: 'raw_buffer', serverName: '', alpn: [] };

/** What the bytes so far tell, or `more`. */
export function inspect(plan: Pick<InspectionPlan, 'tls' | 'http'>, bytes: Buffer): Inspected | 'more' {
  if (plan.tls) {
    const hello = readClientHello(bytes);
    if (hello === 'more' && bytes.length < maxHelloBytes) return 'more';
    if (typeof hello === 'object') return { transportProtocol: 'tls', serverName: hello.serverName, alpn: hello.alpn };
  }
  if (!plan.http) return notInspected;
  const detected = detectHttp(bytes);
  if (detected === 'more') return 'more';
  return detected === null ? notInspected : { ...notInspected, alpn: [detected] };
}
