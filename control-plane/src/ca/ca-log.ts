// What this folder needs of a log; pino's fits.

/** Fields first, then the fixed message. */
export interface CaLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
