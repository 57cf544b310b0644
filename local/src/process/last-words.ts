// Why one of Weft's own programs ended, by the line that it wrote last.
import { closeSync, openSync, readSync, statSync } from 'node:fs';

const lookBytes = 8 * 1024;

/** The last line of a log if it is one for a person, `weft control-plane: …`, without that name; null otherwise. */
export function lastWords(log: string, program: string): string | null {
  const line = lastLine(log);
  const prefix = `weft ${program}: `;
  return line.startsWith(prefix) ? line.slice(prefix.length) : null;
}

function lastLine(path: string): string {
  try {
    const file = openSync(path, 'r');
    try {
      const bytes = Buffer.alloc(lookBytes);
      const read = readSync(file, bytes, 0, lookBytes, Math.max(0, statSync(path).size - lookBytes));
      return bytes.toString('utf8', 0, read).trimEnd().split('\n').at(-1) ?? '';
    } finally {
      closeSync(file);
    }
  } catch {
    return '';
  }
}
