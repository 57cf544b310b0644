// Resources and updates as they come from the control plane, before anything is known of them.
import type { google } from '@weft/api/xds/types';
import { decodeMessage, typeNameOf } from '@weft/lib/protobuf/codec';
import { durationMs } from '@weft/lib/protobuf/duration';

type Any = google.protobuf.Any;

/** A resource as it came in a response. `name` and `version` are empty in state-of-the-world responses. */
export interface ReceivedResource {
  readonly name: string;
  readonly version: string;
  readonly resource: Any;
  /** A time to live was asked for, in milliseconds; 0 for none. */
  readonly ttlMs: number;
}

export interface ReceivedUpdate {
  readonly version: string;
  readonly resources: readonly ReceivedResource[];
  readonly removed: readonly string[];
  /** A wildcard resource that is not in it is gone. */
  readonly isFull: boolean;
}

/** A copy of the bytes: decoded messages are views of them, and must not keep a whole response in memory. */
export function ownMemory(received: ReceivedResource): ReceivedResource {
  const { typeUrl, value } = received.resource;
  return { ...received, resource: { typeUrl, value: new Uint8Array(value) } };
}

/** What a resource seems to be called, or empty. */
export function nameHint({ name, resource }: ReceivedResource): string {
  return name === '' ? leadingName(resource.value) : name;
}

/** The name that a resource's bytes begin with (field 1 of every kind), or empty: only a hint, always compared with more. */
function leadingName(bytes: Uint8Array): string {
  const length = bytes[1] ?? 0;
  if (bytes[0] !== 0x0a || length >= 0x80 || bytes.length < 2 + length) return leadingLongName(bytes);
  return Buffer.from(bytes.buffer, bytes.byteOffset + 2, length).toString('utf8');
}

function leadingLongName(bytes: Uint8Array): string {
  const low = bytes[1] ?? 0;
  const high = bytes[2] ?? 0;
  const length = (low & 0x7f) | (high << 7);
  if (bytes[0] !== 0x0a || low < 0x80 || high >= 0x80 || bytes.length < 3 + length) return '';
  return Buffer.from(bytes.buffer, bytes.byteOffset + 3, length).toString('utf8');
}

/** A resource of a state-of-the-world response; some servers wrap each in a Resource. Throws ProtobufError. */
export function unwrapResource(any: Any): ReceivedResource {
  if (typeNameOf(any) !== 'envoy.service.discovery.v3.Resource')
    return { name: '', version: '', resource: any, ttlMs: 0 };
  const wrapper = decodeMessage('envoy.service.discovery.v3.Resource', any.value);
  const resource = wrapper.resource ?? { typeUrl: '', value: new Uint8Array(0) };
  return { name: wrapper.name ?? '', version: wrapper.version ?? '', resource, ttlMs: durationMs(wrapper.ttl) };
}
