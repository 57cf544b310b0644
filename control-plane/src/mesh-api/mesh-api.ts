// The mesh API: Kubernetes' REST conventions for resources, and a table of Weft's own endpoints beside them.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '@weft/lib/clock';
import { messageOf } from '@weft/lib/error';
import type { Issue } from '@weft/lib/issue';
import type { CheckContext } from '../resource/mesh-index.ts';
import { StatusBoard } from '../status/status-board.ts';
import type { ResourceStore } from '../store/resource-store.ts';
import { AccessGuard, type AccessRules } from './access-guard.ts';
import { type ApiRequest, readBody } from './api-request.ts';
import { discoveryRoutes } from './discovery.ts';
import { DualServer, type ServerCertificate } from './dual-server.ts';
import { openApiRoutes } from './openapi.ts';
import { patchResource } from './patch-resource.ts';
import { getResource, listResources } from './read-resource.ts';
import { failure, type Reply } from './reply.ts';
import type { ResourceContext } from './resource-context.ts';
import { parseResourcePath, type ResourcePath } from './resource-path.ts';
import { matchRoute, type Route } from './route.ts';
import { watchResources } from './watch-resource.ts';
import { createResource, deleteResource, replaceResource } from './write-resource.ts';

/** How the API is served. */
export interface MeshApiOptions {
  readonly store: ResourceStore;
  readonly clock: Clock;
  readonly access: AccessRules;
  /** Weft's version, for discovery. */
  readonly version: string;
  readonly checkContext: () => CheckContext;
  /** Weft's own endpoints, below /weft/v1/. */
  readonly routes?: readonly Route[];
  /** With it the same port takes TLS too. */
  readonly certificate?: ServerCertificate | null;
  /** Findings about files, for the status of resources whose newer text is broken. */
  readonly fileIssues?: () => readonly Issue[];
  /** Told of what went wrong inside, for the log. */
  readonly onError?: (error: unknown, request: string) => void;
}

/** A body may have 3 MiB, as in Kubernetes. */
const bodyLimitBytes = 3 * 1024 * 1024;

/** Serves the store over HTTP. */
export class MeshApi {
  private readonly options: MeshApiOptions;
  private readonly context: ResourceContext;
  private readonly guard: AccessGuard;
  private readonly routes: readonly Route[];
  private readonly server: DualServer;

  constructor(options: MeshApiOptions) {
    this.options = options;
    const { store, clock, checkContext, fileIssues = () => [] } = options;
    const board = new StatusBoard({ world: () => store.world, checkContext, fileIssues });
    this.context = { store, clock, checkContext, statusOf: (resource) => board.statusOf(resource) };
    this.guard = new AccessGuard(options.access);
    this.routes = [
      ...healthRoutes,
      ...(options.routes ?? []),
      ...discoveryRoutes(options.version),
      ...openApiRoutes(options.version),
    ];
    this.server = new DualServer(
      (message, response) => void this.serve(message, response),
      options.certificate ?? null,
    );
  }

  /** Resolves with the port once requests are taken; port 0 takes a free one. */
  listen(port: number, host = '127.0.0.1'): Promise<number> {
    return this.server.listen(port, host);
  }

  /** A new certificate for connections from now on. */
  renew(certificate: ServerCertificate): void {
    this.server.renew(certificate);
  }

  /** Takes no more requests and cuts watches. */
  close(): Promise<void> {
    return this.server.close();
  }

  private async serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => response.destroy());
    let reply: Reply;
    try {
      reply = await this.answer(message, response);
    } catch (thrown) {
      this.options.onError?.(thrown, `${message.method} ${message.url}`);
      reply = failure('InternalError', `The request could not be carried out: ${messageOf(thrown)}`);
    }
    try {
      send(message, response, reply);
    } catch (thrown) {
      // A reply that cannot be sent costs its request, not the process.
      this.options.onError?.(thrown, `${message.method} ${message.url}`);
      response.destroy();
    }
  }

  private async answer(message: IncomingMessage, response: ServerResponse): Promise<Reply> {
    const method = message.method ?? 'GET';
    const url = parseUrl(message.url ?? '/');
    const matched = url === null ? null : matchRoute(this.routes, method, url.path);
    const refusal = this.guard.refuse(message.headers, matched?.route?.isPublic === true);
    if (refusal !== null) return refusal;
    if (url === null || matched === null) return failure('BadRequest', 'The path is no path.');
    const request: ApiRequest = {
      method,
      path: url.path,
      query: url.query,
      headers: message.headers,
      params: matched.params,
      onClose: (callback) => void response.once('close', callback),
      readBody: () => readBody(message, bodyLimitBytes),
    };
    if (matched.route !== null) return matched.route.handle(request);
    const target = parseResourcePath(url.path);
    if (target !== null) return this.answerResource(request, target);
    if (matched.allowed.length > 0) return notAllowed(method, matched.allowed);
    return failure('NotFound', `the server could not find the requested resource: there is nothing at ${url.path}`);
  }

  private answerResource(request: ApiRequest, target: ResourcePath): Reply | Promise<Reply> {
    const { context } = this;
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    const isWatch = ['true', '1'].includes(request.query.get('watch') ?? '');
    if (target.name === null || isWatch) {
      if (method === 'GET')
        return isWatch ? watchResources(context, target, request) : listResources(context, target, request);
      const isWhole = target.info.namespaced && target.namespace === null;
      if (method === 'POST' && !isWhole) return createResource(context, target, request);
      return notAllowed(method, isWhole ? ['GET'] : ['GET', 'POST']);
    }
    switch (method) {
      case 'GET':
        return getResource(context, target, request);
      case 'PUT':
        return replaceResource(context, target, request);
      case 'PATCH':
        return patchResource(context, target, request);
      case 'DELETE':
        return target.isStatus ? notAllowed(method, ['GET', 'PUT', 'PATCH']) : deleteResource(context, target, request);
      default:
        return notAllowed(method, ['GET', 'PUT', 'PATCH', 'DELETE']);
    }
  }
}

const healthRoutes: readonly Route[] = ['/healthz', '/livez', '/readyz'].map((path) => ({
  method: 'GET',
  path,
  isPublic: true,
  handle: () => ({ status: 200, body: 'ok' }),
}));

function notAllowed(method: string, allowed: readonly string[]): Reply {
  return {
    ...failure('MethodNotAllowed', `${method} is not possible here; use ${allowed.join(', ')}.`),
    headers: { allow: allowed.join(', ') },
  };
}

function parseUrl(target: string): { readonly path: string; readonly query: URLSearchParams } | null {
  const mark = target.indexOf('?');
  try {
    const path = decodeURIComponent(mark < 0 ? target : target.slice(0, mark));
    if (!path.startsWith('/') || path.length > 4096) return null;
    return {
      path: path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path,
      query: new URLSearchParams(mark < 0 ? '' : target.slice(mark + 1)),
    };
  } catch {
    return null;
  }
}

function send(message: IncomingMessage, response: ServerResponse, reply: Reply): void {
  if (response.headersSent || response.destroyed) return;
  response.statusCode = reply.status;
  response.setHeader('x-content-type-options', 'nosniff');
  // A body that was not read would be taken for the next request.
  if (!message.complete) response.setHeader('connection', 'close');
  for (const [name, value] of Object.entries(reply.headers ?? {})) response.setHeader(name, value);
  if (reply.stream !== undefined) {
    reply.stream(response);
    return;
  }
  const isRaw = typeof reply.body === 'string' || Buffer.isBuffer(reply.body);
  const bytes = isRaw
    ? Buffer.from(reply.body as string | Buffer)
    : Buffer.from(`${JSON.stringify(reply.body ?? {})}\n`);
  if (!response.hasHeader('content-type'))
    response.setHeader('content-type', isRaw ? 'text/plain; charset=utf-8' : 'application/json');
  response.setHeader('content-length', bytes.length);
  response.end(message.method === 'HEAD' ? undefined : bytes);
}
