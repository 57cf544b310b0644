// The table of endpoints beside those of resources. Other parts add theirs to it.

import type { ApiRequest } from './api-request.ts';
import type { Reply } from './reply.ts';

/** One endpoint. `{name}` in the path stands for one part, handed over in `params`. */
export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly handle: (request: ApiRequest) => Reply | Promise<Reply>;
  /** Whether it is answered without a token. Only for what tells nothing. */
  readonly isPublic?: boolean;
}

/** A route and the parts of the path that it names; `allowed` lists the methods of a path that has no such method. */
export interface RouteMatch {
  readonly route: Route | null;
  readonly params: Readonly<Record<string, string>>;
  readonly allowed: readonly string[];
}

/** The first route of the table that fits. */
export function matchRoute(routes: readonly Route[], method: string, path: string): RouteMatch {
  const allowed: string[] = [];
  for (const route of routes) {
    const params = matchPath(route.path, path);
    if (params === null) continue;
    if (route.method === method || (method === 'HEAD' && route.method === 'GET')) return { route, params, allowed: [] };
    allowed.push(route.method);
  }
  return { route: null, params: {}, allowed };
}

function matchPath(pattern: string, path: string): Record<string, string> | null {
  const wanted = pattern.split('/');
  const given = path.split('/');
  if (wanted.length !== given.length) return null;
  const params: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const value = given[index] ?? '';
    if (part.startsWith('{') && part.endsWith('}')) {
      if (value === '') return null;
      params[part.slice(1, -1)] = value;
    } else if (part !== value) return null;
  }
  return params;
}
