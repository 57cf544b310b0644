// What a connection's first bytes tell, for the choice of its filter chain (Envoy: tls_inspector, http_inspector).

import { maxHelloBytes, readClientHello } from './client-hello.ts';
import { detectHttp } from './http-detection.ts';

/** Which inspectors a listener has. */
export interface InspectionPlan {
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
export function inspect(plan: InspectionPlan, bytes: Buffer): Inspected | 'more' {
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
