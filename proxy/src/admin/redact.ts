// Takes private keys and other secrets out of configuration before it is shown.

import { isMessageName, typeNameOf } from '@weft/lib/protobuf/codec';

/** Fields whose data sources are secret wherever they stand. */
const secretFields = new Set([
  'private_key',
  'password',
  'pkcs12',
  'generic_secret',
  'hmac_secret',
  'token_secret',
  'client_secret',
  'jwt_assertion',
  'session_ticket_keys',
  'token',
  'initial_metadata',
  'users',
  'access_token',
]);

const hidden = '[redacted]';
const hiddenBytes = Buffer.from(hidden).toString('base64');

/** A copy of proto3 JSON (original names) in which what a secret field holds inline is replaced; file names stay. */
export function redactSecrets(value: unknown, isSecret = false): unknown {
  if (Array.isArray(value)) return value.map((item) => redactSecrets(item, isSecret));
  if (typeof value === 'object' && value !== null) return redactObject(value, isSecret);
  return value;
}

function redactObject(value: object, isSecret: boolean): Readonly<Record<string, unknown>> {
  const copy: Record<string, unknown> = {};
  // An Any of a type that is not known here may hold anything.
  if ('@type' in value && 'value' in value && isUnread(value)) {
    return { '@type': value['@type'], unknown_message_bytes: Buffer.byteLength(value.value, 'base64') };
  }
  for (const [key, child] of Object.entries(value)) {
    const isChildSecret = isSecret || secretFields.has(key);
    copy[key] =
      isChildSecret && typeof child === 'string' ? redactText(key, child) : redactSecrets(child, isChildSecret);
  }
  return copy;
}

function redactText(key: string, value: string): string {
  if (key === 'inline_bytes') return hiddenBytes;
  // Where a secret comes from is no secret, and `key` names the entry of a metadata pair.
  return ['filename', 'environment_variable', 'path', 'name', 'key', '@type'].includes(key) ? value : hidden;
}

function isUnread(value: { readonly '@type': unknown; readonly value: unknown }): value is {
  readonly '@type': string;
  readonly value: string;
} {
  const { '@type': type, value: bytes } = value;
  return typeof type === 'string' && typeof bytes === 'string' && !isMessageName(typeNameOf(type));
}
