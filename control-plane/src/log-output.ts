// Where the log goes: lines that cannot be written are lost. pino's own output ends the process or waits for ever on a full disk, and
// the mesh is worth more than its log.
import { writeSync } from 'node:fs';

const standardOutput = 1;

/** For pino. */
export const logOutput = {
  write(line: string): void {
    try {
      writeSync(standardOutput, line);
    } catch {
      // There is nowhere to tell it.
    }
  },
};
