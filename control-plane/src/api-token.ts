// The bearer token of the mesh API, as its file holds it.

import { readFileSync } from 'node:fs';
import { messageOf, WeftError } from '@weft/lib/error';

/** Whether a text is long enough to be no guess, and fit for a header. */
export function isUsableToken(token: string): boolean {
  return /^[!-~]{16,}$/.test(token);
}

/** The bearer token in a file. Throws `WeftError`. */
export function readToken(path: string): string {
  let token: string;
  try {
    token = readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw new WeftError('WEFT0623', `the token file ${path} cannot be read (${messageOf(error)})`, { cause: error });
  }
  if (isUsableToken(token)) return token;
  throw new WeftError(
    'WEFT0624',
    `the token in ${path} is not at least 16 printable characters without spaces; put a long random text there`,
  );
}
