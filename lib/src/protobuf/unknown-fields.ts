// Fields that the table does not know, kept so that decoding and encoding again loses nothing.

/** The property under which a decoded message holds its unknown fields: raw bytes, tags included. */
export const unknownFields: unique symbol = Symbol('unknown protobuf fields');

/** A message as the interpreter handles it: JSON names to values. */
export interface MessageObject {
  [name: string]: unknown;
  [unknownFields]?: Uint8Array[];
}

/** Raw bytes of the unknown fields of a decoded message; empty when there are none. */
export function unknownFieldsOf(message: unknown): readonly Uint8Array[] {
  if (typeof message !== 'object' || message === null || !(unknownFields in message)) return [];
  const kept = message[unknownFields];
  return Array.isArray(kept) ? kept.filter((bytes) => bytes instanceof Uint8Array) : [];
}

/** Sets a key that comes from outside: `__proto__` becomes a plain property. */
export function setKey(target: { [name: string]: unknown }, key: string, value: unknown): void {
  if (key !== '__proto__') {
    target[key] = value;
    return;
  }
  Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
}
