// Reads a file as text: never waits for a writer, never reads without end, never takes bytes for text that are none.

import { isUtf8 } from 'node:buffer';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { notAFile } from './scan-directory.ts';

/** Bytes of a file; a larger one is refused. */
export const maxFileBytes = 8 * 1024 * 1024;

/** The bytes of a file, at most one more than are allowed, or why it has none. Throws what the system says. */
export async function readContent(path: string): Promise<{ readonly bytes: Buffer } | { readonly problem: string }> {
  // What was a file when the folder was listed may be a pipe by now: opening that would wait for somebody who writes.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const problem = notAFile(await file.stat());
    if (problem !== null) return { problem };
    const chunks: Buffer[] = [];
    for await (const chunk of file.createReadStream({ end: maxFileBytes, autoClose: false })) chunks.push(chunk);
    return { bytes: Buffer.concat(chunks) };
  } finally {
    await file.close();
  }
}

/** The text, or the first line that is none. */
export function decodeText(bytes: Buffer): string | { readonly problem: string; readonly line: number } {
  if (isUtf8(bytes)) return bytes.toString('utf8');
  let line = 1;
  let start = 0;
  for (let end = bytes.indexOf(10); end >= 0 && isUtf8(bytes.subarray(start, end)); end = bytes.indexOf(10, start)) {
    start = end + 1;
    line++;
  }
  return { problem: 'The text is not UTF-8; save the file as UTF-8.', line };
}
