// The X.509 library with Node's own cryptography behind it; loaded when first needed, as it takes a moment.

import { webcrypto } from 'node:crypto';

type Library = typeof import('@peculiar/x509');

let loading: Promise<Library> | null = null;

/** The library, ready to use. */
export function x509Library(): Promise<Library> {
  loading ??= load();
  return loading;
}

async function load(): Promise<Library> {
  // Its decorators need this first.
  await import('reflect-metadata');
  const library = await import('@peculiar/x509');
  library.cryptoProvider.set(webcrypto as Crypto);
  return library;
}
