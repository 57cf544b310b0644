// Envoy's `RedirectAction`: the `location` a request is sent to.

import type { envoy } from '@weft/api/xds/types';
import { type IssueSink, reportError, sinkAt } from '../../security/data-source.ts';
import type { PathMatcher } from '../path-matcher.ts';
import { pathEnd, type RoutedRequest, splitAuthority } from '../routed-request.ts';
import { compileRewrite, type TextRewrite, toWire } from '../wire-text.ts';

type RedirectAction = envoy.config.route.v3.RedirectAction;

export interface RedirectReply {
  readonly status: number;
  readonly location: string;
}

const statuses: Readonly<Record<string, number>> = {
  MOVED_PERMANENTLY: 301,
  FOUND: 302,
  SEE_OTHER: 303,
  TEMPORARY_REDIRECT: 307,
  PERMANENT_REDIRECT: 308,
};

export class Redirect {
  private readonly status: number;
  private readonly scheme: string;
  private readonly host: string;
  private readonly port: number;
  private readonly path: string;
  private readonly prefixRewrite: string | null;
  private readonly regexRewrite: TextRewrite | null;
  private readonly stripsQuery: boolean;

  constructor(config: RedirectAction, status: number, regexRewrite: TextRewrite | null) {
    this.status = status;
    this.scheme = config.httpsRedirect === true ? 'https' : (config.schemeRedirect ?? '').toLowerCase();
    this.host = toWire(config.hostRedirect ?? '');
    this.port = config.portRedirect ?? 0;
    this.path = toWire(config.pathRedirect ?? '');
    this.prefixRewrite = config.prefixRewrite === undefined ? null : toWire(config.prefixRewrite);
    this.regexRewrite = regexRewrite;
    this.stripsQuery = config.stripQuery === true;
  }

  reply(request: RoutedRequest, matcher: PathMatcher | null): RedirectReply {
    const scheme = this.scheme === '' ? request.scheme : this.scheme;
    const path = this.newPath(request.path, matcher);
    return {
      status: this.status,
      location: `${scheme}://${this.newHost(request, scheme)}${path.startsWith('/') ? path : `/${path}`}`,
    };
  }

  private newHost(request: RoutedRequest, scheme: string): string {
    const { host, port } = splitAuthority(this.host === '' ? request.authority : this.host);
    if (this.port > 0) return `${host}:${this.port}`;
    if (this.host !== '') return this.host;
    // A port that said the old scheme's default would be wrong for the new one.
    const isOldDefault = (request.scheme === 'http' && port === '80') || (request.scheme === 'https' && port === '443');
    if (port === '' || (scheme !== request.scheme && isOldDefault)) return host;
    return `${host}:${port}`;
  }

  private newPath(path: string, matcher: PathMatcher | null): string {
    const end = pathEnd(path);
    // A fragment is no part of a request.
    const query = this.stripsQuery ? '' : path.slice(end).replace(/#.*/s, '');
    // The query of the redirect itself replaces the request's.
    if (this.path !== '') return this.path.includes('?') ? this.path : this.path + query;
    const plain = path.slice(0, end);
    if (this.regexRewrite !== null) return this.regexRewrite.apply(plain) + query;
    if (this.prefixRewrite === null) return plain + query;
    return this.prefixRewrite + plain.slice(matcher?.matchedLength(end) ?? 0) + query;
  }
}

/** Reports everything wrong with it; null then. */
export function compileRedirect(config: RedirectAction, sink: IssueSink): Redirect | null {
  const before = sink.issues.length;
  const status = statuses[String(config.responseCode ?? 'MOVED_PERMANENTLY')];
  if (status === undefined) {
    reportError(
      sinkAt(sink, 'response_code'),
      'WEFT0330',
      `${config.responseCode} is no redirect; use one of ${Object.keys(statuses).join(', ')}`,
    );
  }
  if ((config.portRedirect ?? 0) > 65_535)
    reportError(sinkAt(sink, 'port_redirect'), 'WEFT0330', `${config.portRedirect} is no port`);
  for (const [field, text] of [
    ['host_redirect', config.hostRedirect],
    ['path_redirect', config.pathRedirect],
    ['prefix_rewrite', config.prefixRewrite],
  ] as const) {
    if (/[\0-\x20\x7f]/.test(text ?? ''))
      reportError(sinkAt(sink, field), 'WEFT0331', 'the text holds spaces or control characters; remove them');
  }
  const rewrite =
    config.regexRewrite === undefined ? null : compileRewrite(config.regexRewrite, sinkAt(sink, 'regex_rewrite'));
  return sink.issues.length > before || status === undefined ? null : new Redirect(config, status, rewrite);
}
