// Why a file that somebody named cannot be read, in words for that person.

import { codeOf, messageOf } from '../error.ts';

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such folder',
  EACCES: 'permission denied',
  EISDIR: 'it is a directory',
};

/** The reason alone; in the system's words where there are no better ones. */
export function describeReadProblem(error: unknown): string {
  return reasons[codeOf(error)] ?? messageOf(error);
}
