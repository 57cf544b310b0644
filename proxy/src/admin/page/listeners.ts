// `/listeners`: names and addresses that are listened on.

import { formatAddress } from '../../telemetry/operator/operator.ts';
import { type AdminReply, type AdminRequest, jsonReply, textReply } from '../reply.ts';
import type { AdminState, ListenerReport } from '../state.ts';

/** `?format=json` for `envoy.admin.v3.Listeners`. */
export function listenersPage(state: AdminState, request: AdminRequest): AdminReply {
  const format = request.query.get('format') ?? 'text';
  if (format === 'json') return jsonReply({ listener_statuses: state.listeners().map(listenerToJson) });
  if (format !== 'text') return textReply(`format '${format}' is not known; use text or json\n`, 400);
  return textReply(
    state
      .listeners()
      .map((listener) => `${listener.name}::${addressText(listener)}\n`)
      .join(''),
  );
}

function addressText(listener: ListenerReport): string {
  if (isPipe(listener)) return listener.address;
  return listener.address === '' ? 'internal' : formatAddress(listener.address, listener.port);
}

function isPipe({ address }: ListenerReport): boolean {
  return address.startsWith('/') || address.startsWith('@');
}

function listenerToJson(listener: ListenerReport): unknown {
  const { name, address, port } = listener;
  if (address === '') return { name };
  if (isPipe(listener)) return { name, local_address: { pipe: { path: address } } };
  return { name, local_address: { socket_address: { address, port_value: port } } };
}
