// What this folder needs of a log: the proxy's own `Log` fits, and so does a list in a test.

import type { Log } from '@weft/lib/log';

/** Fixed message text, variables in fields. */
export type SecurityLog = Pick<Log, 'info' | 'warn' | 'error'>;

/** Says nothing; for tests and tools. */
export const silentLog: SecurityLog = { info() {}, warn() {}, error() {} };
