// The names of the fields a log line may carry, in one place, so that a search for one word finds every line about one thing.

export type LogValue = string | number | boolean | null | undefined | readonly string[];

/** Fields of a log line. A name that is missing here is added here, not spelt elsewhere. */
export interface LogFields {
  /** Permanent code of an issue, fault or error. */
  readonly code?: string | undefined;
  /** Anything that was thrown; its message and system code are written. */
  readonly error?: unknown;
  readonly reason?: LogValue;

  // What the line is about.
  readonly listener?: LogValue;
  readonly filter?: LogValue;
  readonly route?: LogValue;
  readonly cluster?: LogValue;
  readonly host?: LogValue;
  readonly secret?: LogValue;
  readonly name?: LogValue;
  readonly names?: LogValue;
  readonly kind?: LogValue;
  readonly namespace?: LogValue;
  readonly path?: LogValue;
  readonly file?: LogValue;
  readonly line?: LogValue;
  readonly type?: LogValue;
  readonly node?: LogValue;
  readonly identity?: LogValue;
  readonly serial?: LogValue;
  readonly origin?: LogValue;
  readonly decision?: LogValue;

  // Where.
  readonly address?: LogValue;
  readonly port?: LogValue;
  readonly remote?: LogValue;
  readonly connection?: LogValue;
  readonly stream?: LogValue;
  readonly pid?: LogValue;
  readonly worker?: LogValue;
  readonly signal?: LogValue;
  readonly url?: LogValue;

  // How much and when.
  readonly version?: LogValue;
  readonly revision?: LogValue;
  readonly nonce?: LogValue;
  readonly state?: LogValue;
  readonly status?: LogValue;
  readonly attempt?: LogValue;
  readonly count?: LogValue;
  readonly added?: LogValue;
  readonly changed?: LogValue;
  readonly removed?: LogValue;
  readonly bytes?: LogValue;
  readonly dropped?: LogValue;
  readonly durationMs?: LogValue;
  readonly delayMs?: LogValue;
  readonly expires?: LogValue;
  readonly issues?: LogValue;
  readonly level?: LogValue;
  readonly details?: LogValue;
}
