// The shape of a format operator such as `%REQ(X-REQUEST-ID):64%`: compiled once to a getter that only reads.

import type { LoggedView } from '../view.ts';

/** What an operator yields; null is "nothing there". Objects come from metadata only. */
export type OperatorValue = string | number | boolean | object | null;
export type Getter = (view: LoggedView) => OperatorValue;

/** A compiled operator. */
export interface Operator {
  readonly get: Getter;
  /** Its text came over the wire: latin1, and not to be trusted in a log line. */
  readonly isFromPeer: boolean;
  /** A finding that does not stop it from working, such as a source that nothing here fills. */
  readonly warning?: string;
}

/** Makes the operator from what stands in its brackets, in which `argumentProblem` found no fault. */
export type CompileOperator = (argument: string) => Operator;

/** Operators by name. */
export type OperatorTable = Readonly<Record<string, CompileOperator>>;

/** An operator without an argument whose value is ours. */
export function plain(get: Getter): CompileOperator {
  return () => ({ get, isFromPeer: false });
}

/** An operator without an argument whose value the peer chose. */
export function fromPeer(get: Getter): CompileOperator {
  return () => ({ get, isFromPeer: true });
}

/** `address:port`, with brackets around an IPv6 address. */
export function formatAddress(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** An empty string is nothing. */
export function textOrNull(text: string | undefined): string | null {
  return text === undefined || text === '' ? null : text;
}
