// What a route decides before anything is sent: an answer of its own, whether an upgrade may pass, a tunnel for another listener.

import { Headers } from '@weft/lib/header';
import { fault } from '../../fault/fault.ts';
import type { Route } from '../../route/route.ts';
import type { Exchange } from '../../stream/exchange.ts';
import type { StreamConfig } from '../../stream/stream-config.ts';

/** Answers where the route does so by itself; false when the request is to be forwarded. */
export function answerByRoute(route: Route, exchange: Exchange): boolean {
  const redirect = route.redirect(exchange);
  if (redirect !== null) {
    const headers = Headers.of('location', redirect.location, 'content-length', '0');
    exchange.status = redirect.status;
    exchange.details = 'direct_response';
    route.mutateResponseHeaders(headers, exchange);
    exchange.reply(redirect.status, headers, '', 'direct_response');
    return true;
  }
  const direct = route.directResponse;
  if (direct === null) {
    if (route.isForwarding) return false;
    exchange.fail(fault.no_route, 'non_forwarding_action');
    return true;
  }
  exchange.status = direct.status;
  exchange.details = 'direct_response';
  const headers = Headers.of('content-type', 'text/plain');
  route.mutateResponseHeaders(headers, exchange);
  if (direct.body === '') headers.remove('content-type');
  exchange.reply(direct.status, headers, direct.body, 'direct_response');
  return true;
}

/** An upgrade must be enabled by the route, or else by the connection manager (Envoy: RouteAction.upgrade_configs). */
export function mayUpgrade(route: Route, exchange: Exchange, config: StreamConfig): boolean {
  const { upgrade } = exchange;
  if (upgrade === null) return true;
  const key = upgrade.toLowerCase();
  const isAllowed = route.upgrades?.get(key) ?? config.upgrades.get(key) ?? false;
  if (!isAllowed) exchange.fail(fault.upgrade_refused, 'upgrade_failed');
  return isAllowed;
}

/** Gives the bytes of a CONNECT to a listener of this process. */
export function handToListener(listener: string, exchange: Exchange, config: StreamConfig): void {
  if (!config.hasTunnel(listener)) {
    exchange.fail(fault.tunnel_refused, `no internal listener ${listener}`);
    return;
  }
  const isHandedOver = exchange.downstream.handOver(exchange, (connection, rest) => {
    config.takeTunnel(listener, connection, exchange, rest);
  });
  if (!isHandedOver) exchange.fail(fault.tunnel_refused, 'the tunnel cannot leave its connection');
}
