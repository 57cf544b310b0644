// Client of the mesh API: Kubernetes REST conventions over loopback HTTP with a bearer token.
import { readFileSync } from 'node:fs';
import { Agent, type IncomingMessage, request } from 'node:http';
import type { KindInfo } from '@weft/api/resource/kind';
import { messageOf, WeftError } from '@weft/lib/error';

const requestTimeoutMs = 30_000;
const bodyLimitBytes = 64 * 1024 * 1024;

/** An object as the API sends it; only what every kind has is known here. */
export interface ApiObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly resourceVersion?: string;
    readonly generation?: number;
  };
  readonly [field: string]: unknown;
}

/** A list with the version from which a watch goes on. */
export interface ApiList {
  readonly items: readonly ApiObject[];
  readonly resourceVersion: string;
}

/** The API answered with an error; `body` is its Status object or text. */
export class ApiError extends WeftError {
  readonly status: number;
  readonly body: unknown;

  constructor(status: number, message: string, body: unknown) {
    super('WEFT0808', message);
    this.status = status;
    this.body = body;
  }
}

/** What a request may carry. */
export interface RequestOptions {
  readonly method?: string;
  /** Sent as JSON, or as it is when it is a text of another `contentType`. */
  readonly body?: unknown;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

/** A mesh API at a URL. */
export class MeshApiClient {
  readonly url: string;
  private readonly token: () => string;
  // Not the global agent: that one honours HTTP_PROXY, and this is loopback.
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 32 });

  constructor(url: string, token: () => string) {
    this.url = url.replace(/\/$/, '');
    this.token = token;
  }

  /** The parsed JSON answer; throws ApiError for a status of 400 or more, WEFT0807 when nobody answers. */
  async request(path: string, options: RequestOptions = {}): Promise<unknown> {
    return (await this.exchange(path, options)).body;
  }

  /** As `request`, with the warnings that the API sent along. */
  async exchange(path: string, options: RequestOptions = {}): Promise<{ body: unknown; warnings: readonly string[] }> {
    const answer = await this.open(path, options);
    const text = await readText(answer);
    const body = parseJson(text);
    if ((answer.statusCode ?? 500) < 400) return { body, warnings: warningsOf(answer) };
    throw new ApiError(answer.statusCode ?? 500, messageIn(body, text, answer.statusCode), body);
  }

  /** The answer with its head read and its body still to come. */
  open(path: string, options: RequestOptions = {}): Promise<IncomingMessage> {
    const { method = 'GET', body, contentType = 'application/json', headers = {}, timeoutMs } = options;
    return new Promise((resolve, reject) => {
      const call = request(`${this.url}${path}`, {
        method,
        agent: this.agent,
        headers: {
          accept: 'application/json',
          authorization: `Bearer ${this.token()}`,
          ...(body === undefined ? {} : { 'content-type': contentType }),
          ...headers,
        },
      });
      call.setTimeout(timeoutMs ?? requestTimeoutMs, () => call.destroy(new Error('no answer in time')));
      call.once('response', resolve);
      call.once('error', (error) => reject(unreachable(this.url, error)));
      const isText = typeof body === 'string' && contentType !== 'application/json';
      call.end(body === undefined ? undefined : isText ? body : JSON.stringify(body));
    });
  }

  async list(kind: KindInfo, namespace: string | null = null): Promise<ApiList> {
    const body = await this.request(pathOf(kind, namespace));
    const list = body as { items?: ApiObject[]; metadata?: { resourceVersion?: string } };
    return {
      // Items of a list carry neither field in Kubernetes; every other reader wants them.
      items: (list.items ?? []).map((item) => ({ ...item, apiVersion: apiVersionOf(kind), kind: kind.kind })),
      resourceVersion: list.metadata?.resourceVersion ?? '0',
    };
  }

  async get(kind: KindInfo, namespace: string | null, name: string): Promise<ApiObject | null> {
    try {
      return (await this.request(pathOf(kind, namespace, name))) as ApiObject;
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return null;
      throw error;
    }
  }

  async create(kind: KindInfo, object: ApiObject): Promise<ApiObject> {
    const path = pathOf(kind, object.metadata.namespace ?? null);
    return (await this.request(path, { method: 'POST', body: object })) as ApiObject;
  }

  async replace(kind: KindInfo, object: ApiObject): Promise<ApiObject> {
    const path = pathOf(kind, object.metadata.namespace ?? null, object.metadata.name);
    return (await this.request(path, { method: 'PUT', body: object })) as ApiObject;
  }

  /** JSON merge patch of the status subresource. */
  async patchStatus(kind: KindInfo, namespace: string | null, name: string, status: unknown): Promise<void> {
    await this.request(`${pathOf(kind, namespace, name)}/status`, {
      method: 'PATCH',
      body: { status },
      contentType: 'application/merge-patch+json',
    });
  }

  /** Removes an object; false when there was none. */
  async delete(kind: KindInfo, namespace: string | null, name: string): Promise<boolean> {
    try {
      await this.request(pathOf(kind, namespace, name), { method: 'DELETE' });
      return true;
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return false;
      throw error;
    }
  }

  close(): void {
    this.agent.destroy();
  }
}

/** A client whose token is read from its file each time: it may be made anew while we run. */
export function clientFor(url: string, tokenFile: string): MeshApiClient {
  return new MeshApiClient(url, () => {
    try {
      return readFileSync(tokenFile, 'utf8').trim();
    } catch (error) {
      throw new WeftError(
        'WEFT0807',
        `the token file ${tokenFile} cannot be read (${messageOf(error)}); run as the user who started the mesh`,
        {
          cause: error,
        },
      );
    }
  });
}

/** `/apis/GROUP/VERSION[/namespaces/NS]/PLURAL[/NAME]`, `/api/v1/…` in the core group. */
export function pathOf(
  kind: KindInfo,
  namespace: string | null,
  name?: string,
  version = kind.versions[0] ?? 'v1',
): string {
  const root = kind.group === '' ? `/api/${version}` : `/apis/${kind.group}/${version}`;
  const scope = namespace === null || !kind.namespaced ? '' : `/namespaces/${encodeURIComponent(namespace)}`;
  const tail = name === undefined ? '' : `/${encodeURIComponent(name)}`;
  return `${root}${scope}/${kind.plural}${tail}`;
}

export function apiVersionOf(kind: KindInfo): string {
  const version = kind.versions[0] ?? 'v1';
  return kind.group === '' ? version : `${kind.group}/${version}`;
}

/** Texts of `Warning` headers (RFC 9111 §5.5), which Node joins with commas. */
function warningsOf(answer: IncomingMessage): string[] {
  const header = answer.headers.warning ?? '';
  return [...header.matchAll(/\b299 \S+ "((?:[^"\\]|\\.)*)"/g)].map((match) =>
    (match[1] ?? '').replace(/\\(.)/g, '$1'),
  );
}

async function readText(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > bodyLimitBytes)
      throw new WeftError('WEFT0808', `the answer of the mesh API is larger than ${bodyLimitBytes} bytes`);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function messageIn(body: unknown, text: string, status: number | undefined): string {
  if (typeof body === 'object' && body !== null && 'message' in body && typeof body.message === 'string')
    return body.message;
  return `the mesh API answered ${status ?? 'nothing'}${text === '' ? '' : `: ${text.slice(0, 200)}`}`;
}

function unreachable(url: string, error: Error): WeftError {
  return new WeftError(
    'WEFT0807',
    `the mesh API at ${url} does not answer (${error.message}); see weft status, or start the mesh with weft up`,
    {
      cause: error,
    },
  );
}
