// Bodies in Kubernetes' protobuf, which `kubectl create namespace`, `secret` and `service` send of core kinds whatever discovery says.

import type { weft } from '@weft/api/xds/types';
import { messageOf } from '@weft/lib/error';
import { decodeMessage } from '@weft/lib/protobuf/codec';

/** The media type. */
export const kubernetesProtobuf = 'application/vnd.kubernetes.protobuf';

const magic = Buffer.from('k8s\0', 'latin1');

/** The object as JSON would have said it, or why the bytes are none. */
export type KubernetesBody = { readonly value: unknown } | { readonly problem: string };

const decoders: Readonly<Record<string, (raw: Uint8Array) => object>> = {
  Namespace: (raw) => ({ metadata: decodeMessage('weft.kubernetes.Namespace', raw).metadata }),
  Secret: (raw) => secretOf(decodeMessage('weft.kubernetes.Secret', raw)),
  Service: (raw) => serviceOf(decodeMessage('weft.kubernetes.Service', raw)),
};

/** Reads one object. Never throws. */
export function parseKubernetesBody(bytes: Buffer): KubernetesBody {
  if (!bytes.subarray(0, magic.length).equals(magic))
    return { problem: 'it does not begin with "k8s" and a zero byte' };
  try {
    const { typeMeta = {}, raw = new Uint8Array() } = decodeMessage(
      'weft.kubernetes.Unknown',
      bytes.subarray(magic.length),
    );
    const { apiVersion, kind = '' } = typeMeta;
    const decode = Object.hasOwn(decoders, kind) ? decoders[kind] : undefined;
    if (apiVersion !== 'v1' || decode === undefined)
      return { problem: `${apiVersion ?? ''} ${kind} is taken as JSON or YAML only` };
    return { value: withoutEmpty({ apiVersion, kind, ...decode(raw) }) };
  } catch (thrown) {
    return { problem: messageOf(thrown) };
  }
}

function secretOf({ data = {}, ...rest }: weft.kubernetes.Secret): object {
  const encoded = Object.entries(data).map(([key, bytes]) => [key, Buffer.from(bytes).toString('base64')]);
  return { ...rest, data: Object.fromEntries(encoded) };
}

function serviceOf({ metadata, spec = {} }: weft.kubernetes.Service): object {
  return { metadata, spec: { ...spec, ports: (spec.ports ?? []).map(portOf) } };
}

function portOf({ targetPort, ...rest }: weft.kubernetes.ServicePort): object {
  if (targetPort === undefined) return rest;
  return { ...rest, targetPort: Number(targetPort.type ?? 0) === 1 ? targetPort.strVal : targetPort.intVal };
}

/** Maps of the user's own: an empty text in them is content. */
const maps: ReadonlySet<string> = new Set(['labels', 'annotations', 'data', 'stringData', 'selector']);

/** Kubernetes' encoder writes every field, also those that were never set. */
function withoutEmpty(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutEmpty);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).map(([key, member]) => [key, maps.has(key) ? member : withoutEmpty(member)]);
  return Object.fromEntries(members.filter(([, member]) => !isUnset(member)));
}

function isUnset(value: unknown): boolean {
  if (value === undefined || value === '' || value === 0 || value === false) return true;
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}
