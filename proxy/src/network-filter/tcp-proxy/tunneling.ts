// Which CONNECT (or POST) a TCP proxy sends when it carries its connections through another proxy (Envoy: tunneling_config).

import type { envoy } from '@weft/api/xds/types';
import { emptyHeaderBlock, Headers } from '@weft/lib/header';
import { compileRequestAdditions, type HeaderMutations, orderLevels } from '../../route/action/header-mutation.ts';
import { compileFormat, type Formatter } from '../../telemetry/format.ts';
import type { LoggedView } from '../../telemetry/view.ts';
import type { UpstreamHead } from '../../upstream/upstream-stream.ts';
import type { CompilePlace } from '../network-context.ts';

type Config = envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.TunnelingConfig;

export class Tunneling {
  /** Equal where the configuration is. */
  readonly key: string;
  private readonly authority: Formatter;
  /** Null for CONNECT. */
  private readonly postPath: string | null;
  private readonly headers: HeaderMutations | null;

  constructor(key: string, authority: Formatter, postPath: string | null, headers: HeaderMutations | null) {
    this.key = key;
    this.authority = authority;
    this.postPath = postPath;
    this.headers = headers;
  }

  /** The head for one connection towards a host. */
  headFor(view: LoggedView, isSecure: boolean): UpstreamHead {
    const requestHeaders = new Headers(emptyHeaderBlock);
    this.headers?.apply(requestHeaders, view);
    const authority = this.authority(view);
    const scheme = isSecure ? 'https' : 'http';
    if (this.postPath === null) {
      return {
        method: 'CONNECT',
        path: '',
        authority,
        scheme,
        requestHeaders,
        upgrade: 'CONNECT',
        protocol: 'HTTP/1.1',
      };
    }
    return {
      method: 'POST',
      path: this.postPath,
      authority,
      scheme,
      requestHeaders,
      upgrade: null,
      protocol: 'HTTP/1.1',
    };
  }
}

/** Compiles it; null where there is none, or after reporting errors. */
export function compileTunneling(config: Config | undefined, place: CompilePlace): Tunneling | null {
  if (config === undefined) return null;
  const { issues } = place;
  const path = `${place.path}.tunneling_config`;
  const { hostname = '', usePost = false, postPath = '' } = config;
  if (hostname === '') report(issues, `${path}.hostname`, 'a tunnel leads somewhere; give host:port');
  if (postPath !== '' && !usePost) report(issues, `${path}.post_path`, 'only a POST has a path; set use_post as well');
  const authority = compileFormat(hostname, issues, `${path}.hostname`);
  const added = compileRequestAdditions(config.headersToAdd ?? [], { issues, path: `${path}.headers_to_add` });
  const headers = orderLevels([added], false, 'request');
  return new Tunneling(JSON.stringify(config), authority, usePost ? postPath || '/' : null, headers);
}

function report(issues: CompilePlace['issues'], path: string, message: string): void {
  issues.push({ code: 'WEFT0845', level: 'error', path, message });
}
