// The folder that a command line starts from, which another terminal may have removed.
import { exitCode } from './exit-code.ts';

/** Ends the process with a line for the person when there is none. */
export function readWorkingFolder(): string {
  try {
    return process.cwd();
  } catch {
    process.stderr.write('weft: the working folder was removed; change to another one (cd) and try again\n');
    process.exit(exitCode.failed);
  }
}
