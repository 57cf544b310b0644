// A mesh API in memory for tests: list, watch, create, replace, merge patch, delete, join tokens. No validation, one resource version for all.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { kinds } from '@weft/api/resource/kind';
import { parse } from 'yaml';
import { type ApiObject, pathOf } from './client.ts';

interface Watcher {
  readonly plural: string;
  readonly response: ServerResponse;
}

/** One fake server; objects live as long as it does. */
export class FakeMeshApi {
  readonly token: string;
  /** `METHOD path` of every request that came. */
  readonly requests: string[] = [];
  /** The `x-weft-source` of every request for an object. */
  readonly sources: string[] = [];
  /** Answers of the test's own, by `METHOD path` without query. */
  readonly replies = new Map<string, (body: unknown) => { status: number; body: unknown; warning?: string }>();
  private readonly objects = new Map<string, ApiObject>();
  private readonly watchers = new Set<Watcher>();
  private readonly server: Server;
  private version = 1;
  private tokens = 0;

  constructor(token = 'secret') {
    this.token = token;
    this.server = createServer((request, response) => void this.answer(request, response));
    this.replies.set('POST /weft/v1/join-tokens', () => ({ status: 201, body: { token: `join-${++this.tokens}` } }));
  }

  /** Listens on loopback; resolves to the URL. */
  async listen(port = 0): Promise<string> {
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(port, '127.0.0.1', resolve);
    });
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  /** Puts an object as if a file or a client had said so. */
  put(object: ApiObject): void {
    const key = keyFor(object);
    const type = this.objects.has(key) ? 'MODIFIED' : 'ADDED';
    const stored = this.stamp(object);
    this.objects.set(key, stored);
    this.tell(type, stored);
  }

  remove(kind: string, namespace: string, name: string): void {
    const key = `${kind}/${namespace}/${name}`;
    const object = this.objects.get(key);
    if (object === undefined) return;
    this.objects.delete(key);
    this.tell('DELETED', this.stamp(object));
  }

  get(kind: string, namespace: string, name: string): ApiObject | null {
    return this.objects.get(`${kind}/${namespace}/${name}`) ?? null;
  }

  /** Ends every watch, as a server does after a while; with an error event first when one is given. */
  endWatches(error?: unknown): void {
    for (const { response } of this.watchers) {
      if (error !== undefined) response.write(`${JSON.stringify({ type: 'ERROR', object: error })}\n`);
      response.end();
    }
    this.watchers.clear();
  }

  private stamp(object: ApiObject): ApiObject {
    return { ...object, metadata: { ...object.metadata, resourceVersion: String(++this.version) } };
  }

  private tell(type: string, object: ApiObject): void {
    const plural = kinds.find((kind) => kind.kind === object.kind)?.plural;
    for (const watcher of this.watchers) {
      if (watcher.plural === plural) watcher.response.write(`${JSON.stringify({ type, object })}\n`);
    }
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = '';
    for await (const chunk of request) text += chunk;
    const url = new URL(request.url ?? '/', 'http://localhost');
    const call = `${request.method} ${url.pathname}`;
    this.requests.push(call);
    if (request.headers.authorization !== `Bearer ${this.token}`)
      return send(response, 401, { message: 'the token is missing or wrong' });
    // JSON is YAML too.
    const body = text === '' ? undefined : parse(text);
    const own = this.replies.get(call);
    if (own !== undefined) {
      const reply = own(body);
      if (reply.warning !== undefined) response.setHeader('warning', reply.warning);
      return send(response, reply.status, reply.body);
    }
    const target = parsePath(url.pathname);
    if (target === null) return send(response, 404, { message: `no such path ${url.pathname}` });
    if (target.name === '' && request.method === 'GET') return this.sendSet(target, url, response);
    this.sources.push(String(request.headers['x-weft-source'] ?? ''));
    const isDryRun = url.searchParams.get('dryRun') === 'All';
    if (isDryRun) send(response, 200, body);
    else this.sendObject(request.method ?? '', target, body, response);
  }

  private sendSet(target: Target, url: URL, response: ServerResponse): void {
    if (url.searchParams.get('watch') === 'true') {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.flushHeaders();
      const watcher = { plural: target.plural, response };
      this.watchers.add(watcher);
      response.on('close', () => this.watchers.delete(watcher));
      return;
    }
    const items = [...this.objects.entries()]
      .filter(([key]) => key.startsWith(`${target.kind}/${target.namespace}`))
      .map(([, object]) => object);
    send(response, 200, { kind: `${target.kind}List`, metadata: { resourceVersion: String(this.version) }, items });
  }

  private sendObject(method: string, target: Target, body: ApiObject, response: ServerResponse): void {
    const name = target.name || body.metadata.name;
    const key = `${target.kind}/${target.namespace}/${name}`;
    const existing = this.objects.get(key);
    if ((method === 'POST') === (existing !== undefined)) {
      const message = existing === undefined ? `${name} does not exist` : `${name} exists already`;
      send(response, existing === undefined ? 404 : 409, { message });
      return;
    }
    if (method === 'DELETE') this.remove(target.kind, target.namespace, name);
    else if (method === 'PATCH') this.put({ ...(existing as ApiObject), ...body });
    else if (method !== 'GET') this.put(inNamespace(body, target.namespace));
    send(response, method === 'POST' ? 201 : 200, this.objects.get(key) ?? { kind: 'Status', status: 'Success' });
  }
}

interface Target {
  readonly kind: string;
  readonly plural: string;
  readonly namespace: string;
  readonly name: string;
}

function parsePath(path: string): Target | null {
  for (const kind of kinds) {
    const root = pathOf(kind, null).slice(0, -kind.plural.length);
    if (!path.startsWith(root)) continue;
    const parts = path.slice(root.length).split('/').map(decodeURIComponent);
    const namespace = parts[0] === 'namespaces' && parts.length > 2 ? (parts.splice(0, 2)[1] ?? '') : '';
    if (parts[0] === kind.plural) return { kind: kind.kind, plural: kind.plural, namespace, name: parts[1] ?? '' };
  }
  return null;
}

function keyFor(object: ApiObject): string {
  return `${object.kind}/${object.metadata.namespace ?? ''}/${object.metadata.name}`;
}

/** The path says the namespace where the object does not. */
function inNamespace(object: ApiObject, namespace: string): ApiObject {
  return namespace === '' ? object : { ...object, metadata: { ...object.metadata, namespace } };
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}
