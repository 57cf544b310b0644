// A mesh API on a free port over a store in memory, for tests of this folder.

import { PausedClock } from '@weft/lib/clock';
import { makeSampleCertificate, makeSampleRoot } from '@weft/lib/x509/sample-certificate';
import { memoryPersistence } from '../store/persistence.ts';
import { ResourceStore } from '../store/resource-store.ts';
import { MeshApi, type MeshApiOptions } from './mesh-api.ts';

/** A request of a test: the token is sent unless said otherwise. */
export interface TestRequest {
  readonly method?: string;
  readonly body?: unknown;
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What came back. */
export interface TestReply {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into JSON of every form
  readonly json: any;
}

/** The running API. */
export interface TestApi {
  readonly store: ResourceStore;
  readonly clock: PausedClock;
  readonly port: number;
  readonly authority: string;
  readonly call: (path: string, request?: TestRequest) => Promise<TestReply>;
  readonly close: () => Promise<void>;
}

/** Starts it. */
export async function startTestApi(options: Partial<MeshApiOptions> = {}): Promise<TestApi> {
  const clock = new PausedClock();
  const store = new ResourceStore({
    persistence: memoryPersistence,
    clock,
    delay: { quietMs: 0, maxWaitMs: 0 },
    historyLimit: 4,
  });
  const root = makeSampleRoot();
  const leaf = makeSampleCertificate({
    issuer: root,
    commonName: 'mesh api',
    dnsNames: ['localhost'],
    ipAddresses: ['127.0.0.1'],
  });
  const api = new MeshApi({
    store,
    clock,
    access: { token: 'secret' },
    version: '1.2.3',
    checkContext: () => ({
      rootNamespaces: ['istio-system'],
      mutualTls: 'PERMISSIVE',
      proxies: [],
      nowMs: clock.wallMs(),
    }),
    certificate: { certificate: leaf.pem, key: leaf.keyPem },
    ...options,
  });
  const port = await api.listen(0);
  const call = async (path: string, request: TestRequest = {}): Promise<TestReply> => {
    const { method = 'GET', body, type = 'application/json', headers = {} } = request;
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      headers: { authorization: 'Bearer secret', ...(body === undefined ? {} : { 'content-type': type }), ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, json: text.startsWith('{') ? JSON.parse(text) : text };
  };
  return { store, clock, port, authority: root.pem, call, close: () => api.close() };
}
