// Files that are nobody else's business: secrets, and how a running mesh is found.
import { renameSync, rmSync, writeFileSync } from 'node:fs';

/** Written whole or not at all, readable by the owner only. */
export function writePrivate(path: string, content: string): void {
  const draft = `${path}.draft`;
  try {
    // On the disk before it has the name: a crash must not leave the name with nothing behind it.
    writeFileSync(draft, content, { mode: 0o600, flush: true });
    renameSync(draft, path);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
}
