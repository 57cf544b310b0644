// The form of the tables that say which fields of Envoy's configuration Weft carries out. One entry per message, original field names.

/** One message. A field that is in none of the lists is refused when it is set to anything but its default. */
export interface MessageSupport {
  /** Space-separated fields that Weft carries out; their values are looked into. */
  readonly carried: string;
  /** Fields without effect here and whose absence changes nothing that a user relies on: a warning with this reason. */
  readonly harmless?: Readonly<Record<string, string>>;
  /** Fields whose refusal deserves more than "remove it": what to do instead. */
  readonly instead?: Readonly<Record<string, string>>;
  /** Enum fields of which only some values are carried out. */
  readonly values?: Readonly<Record<string, string>>;
  /** Numbers that are narrower than their type: the least and the greatest that mean something. */
  readonly ranges?: Readonly<Record<string, readonly [number, number]>>;
  /** Durations that mean something from a millisecond on. */
  readonly durations?: Readonly<Record<string, 'required' | 'optional'>>;
  /** What a field that is not carried out may be set to all the same, because unset means it. */
  readonly defaults?: Readonly<Record<string, string | number | boolean>>;
  /** By field of this message: the field of the message in there that is carried out in this place only. */
  readonly inside?: Readonly<Record<string, string>>;
  /** Fields newer than the .proto files here, by number: known to change nothing that matters, with the reason. */
  readonly newer?: Readonly<Record<number, string>>;
}

export const portRange: readonly [number, number] = [1, 65_535];

export type SupportTable = Readonly<Record<string, MessageSupport>>;

/** The types that may stand in an Any field, named `Message.field`. */
export interface ExtensionSupport {
  /** What the place holds, for messages: "HTTP filter". */
  readonly role: string;
  readonly carried: readonly string[];
  /** Accepted without effect: they only exchange or report facts that nothing here depends on. */
  readonly ignored?: readonly string[];
}

export type ExtensionTable = Readonly<Record<string, ExtensionSupport>>;
