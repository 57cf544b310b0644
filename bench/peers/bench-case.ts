// The cases: what the client speaks, what the proxy does, what goes on to the backend.

/** By the names that `--case` takes. */
export const caseNames = ['http1', 'http2', 'grpc', 'tcp', 'tls', 'mtls'] as const;
export type CaseName = (typeof caseNames)[number];

/** Requests of this prefix are forwarded, all others answered 404 (not in `tcp`, which does not look). */
export const routePrefix = '/api/';
/** What the load asks for. */
export const loadPath = '/api/items';
/** Bytes of each answer's body. */
export const bodyBytes = 1024;

/** The part a proxy plays: in `mtls` two of a kind stand one behind the other. */
export type Role = 'single' | 'client' | 'server';

/** What a proxy is to be configured for. */
export interface Task {
  readonly name: CaseName;
  readonly role: Role;
  /** On 127.0.0.1. */
  readonly listenPort: number;
  readonly upstreamPort: number;
  /** An empty folder for configuration and logs. */
  readonly folder: string;
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
}

/** TLS towards the client. */
export function acceptsTls(task: Task): boolean {
  return task.name === 'tls' || task.role === 'server';
}

/** TLS towards the upstream. */
export function connectsTls(task: Task): boolean {
  return task.role === 'client';
}

/** HTTP/2 on both sides. */
export function speaksHttp2(name: CaseName): boolean {
  return name === 'http2' || name === 'grpc';
}
