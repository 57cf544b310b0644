// What a header section says about its message: framing, connection options, what not to forward. Derived once per block.

import { ownText } from '@weft/lib/bytes';
import type { HeaderBlock } from '@weft/lib/header';
import { type Http1Error, http1Error } from './error.ts';
import { isToken } from './header-name.ts';
import { isAuthority } from './request-target.ts';

const maskBits = 31;

/** Derived once per `HeaderBlock` and kept in `block.facts`; shared by every message that carries the block. */
export class MessageFacts {
  /** -1 when there is none. */
  contentLength = -1;
  chunked = false;
  /** `Connection: close`. */
  close = false;
  /** `Connection: keep-alive`, which only HTTP/1.0 needs. */
  keepAliveOption = false;
  /** `Keep-Alive: timeout=...`: when the peer will close the idle connection; -1 when it does not say. */
  keepAliveTimeoutSeconds = -1;
  /** Lower-case protocol of `Upgrade`, when `Connection` lists it. */
  upgrade: string | null = null;
  expectContinue = false;
  /** An expectation other than `100-continue`. */
  expectOther = false;
  host: string | null = null;
  hostSlot = -1;
  contentLengthSlot = -1;
  /** `TE` lists `trailers` among other things: the encoder then says just that. */
  teTrailers = false;
  /** What is wrong with the section as a whole, in a request or a response. */
  error: Http1Error | null = null;
  /** What is wrong with it in a request. */
  requestError: Http1Error | null = null;
  /** Slots below 31 that are not forwarded. */
  hopMask = 0;
  /** Slots from 31 on that are not forwarded; null when there are none. */
  hopSlots: number[] | null = null;
  /** The section as received, each line with its CRLF, without the empty line; null when the block was not made by this codec. */
  section: string | null = null;
  /** The encoder's last rendering of the block, and the slots it left out. */
  textMask = -1;
  text = '';
  /** The text is one piece in memory. */
  isTextWhole = false;

  /** Whether the connection may be used again after a message of that minor version. */
  persists(minor: number): boolean {
    return minor === 0 ? this.keepAliveOption && !this.close : !this.close;
  }

  isHop(slot: number): boolean {
    if (slot < maskBits) return (this.hopMask & (1 << slot)) !== 0;
    return this.hopSlots?.includes(slot) ?? false;
  }

  /** Leaves the slot out when forwarding. */
  markHop(slot: number): void {
    if (slot < maskBits) this.hopMask |= 1 << slot;
    else if (this.hopSlots === null) this.hopSlots = [slot];
    else this.hopSlots.push(slot);
  }
}

/** The facts of a block, from its cache or derived now. */
export function factsOf(block: HeaderBlock): MessageFacts {
  const cached = block.facts;
  if (cached instanceof MessageFacts) return cached;
  const facts = deriveFacts(block);
  block.facts = facts;
  return facts;
}

// Not more digits than a timer has room for in milliseconds.
function keepAliveSeconds(value: string): number {
  return Number(/(?:^|[,;\s])timeout=([0-9]{1,6})/i.exec(value)?.[1] ?? -1);
}

function deriveFacts(block: HeaderBlock): MessageFacts {
  const facts = new MessageFacts();
  const { names, values } = block;
  let upgrade: string | null = null;
  let nominated: string[] | null = null;
  for (let slot = 0; slot < names.length; slot++) {
    const value = values[slot] as string;
    const name = names[slot] as string;
    switch (name) {
      case 'host':
        noteHost(facts, value, slot);
        break;
      case 'content-length':
        noteContentLength(facts, value, slot);
        break;
      case 'transfer-encoding':
        noteTransferEncoding(facts, value, slot);
        break;
      case 'connection':
        facts.markHop(slot);
        nominated = readConnection(facts, value, nominated);
        break;
      case 'upgrade':
        facts.markHop(slot);
        upgrade = upgrade === null ? value.toLowerCase() : `${upgrade}, ${value.toLowerCase()}`;
        break;
      case 'keep-alive':
        facts.markHop(slot);
        if (facts.keepAliveTimeoutSeconds < 0) facts.keepAliveTimeoutSeconds = keepAliveSeconds(value);
        break;
      case 'proxy-connection':
        facts.markHop(slot);
        break;
      case 'te':
        noteTe(facts, value, slot);
        break;
      case 'expect':
        if (value.toLowerCase() === '100-continue') facts.expectContinue = true;
        else facts.expectOther = true;
        break;
      default:
        // A pseudo-header of another protocol's block.
        if (name.startsWith(':')) facts.markHop(slot);
    }
  }
  if (nominated !== null) applyNominated(facts, names, nominated, upgrade);
  if (facts.chunked && facts.contentLengthSlot >= 0) facts.error = http1Error.length_and_encoding;
  return facts;
}

// The authority that passed last: most requests of a proxy name one of few.
let lastAuthority: string | null = null;

function checkAuthority(facts: MessageFacts, value: string): void {
  if (!isAuthority(value)) facts.requestError = http1Error.bad_authority;
  else lastAuthority = value.length <= 255 ? ownText(value) : null;
}

function noteHost(facts: MessageFacts, value: string, slot: number): void {
  if (facts.hostSlot >= 0) facts.requestError = http1Error.several_hosts;
  else if (value !== lastAuthority) checkAuthority(facts, value);
  facts.host = value;
  facts.hostSlot = slot;
}

const decimalPattern = /^[0-9]{1,16}$/;

function noteContentLength(facts: MessageFacts, value: string, slot: number): void {
  if (facts.contentLengthSlot >= 0) facts.error ??= http1Error.several_content_lengths;
  facts.contentLengthSlot = slot;
  const length = decimalPattern.test(value) ? Number(value) : -1;
  if (length < 0 || length > Number.MAX_SAFE_INTEGER) facts.error ??= http1Error.bad_content_length;
  else facts.contentLength = length;
}

function noteTransferEncoding(facts: MessageFacts, value: string, slot: number): void {
  facts.markHop(slot);
  if (facts.chunked || value.toLowerCase() !== 'chunked') facts.error ??= http1Error.bad_transfer_encoding;
  facts.chunked = true;
}

function noteTe(facts: MessageFacts, value: string, slot: number): void {
  const lower = value.toLowerCase();
  if (lower === 'trailers') return;
  facts.markHop(slot);
  if (lower.split(',').some((part) => part.trim() === 'trailers')) facts.teTrailers = true;
}

// Each is looked for among all headers; there are a hundred of these at most.
const optionLimit = 100;

function readConnection(facts: MessageFacts, value: string, nominated: string[] | null): string[] | null {
  const lower = value === 'keep-alive' ? value : value.toLowerCase();
  // The two values that nearly every message has.
  if (lower === 'keep-alive') {
    facts.keepAliveOption = true;
    return nominated;
  }
  if (lower === 'close') {
    facts.close = true;
    return nominated;
  }
  const list = nominated ?? [];
  for (const part of lower.split(',')) {
    const option = part.trim();
    if (option === '') continue;
    if (option === 'close') facts.close = true;
    else if (option === 'keep-alive') facts.keepAliveOption = true;
    else if (list.length === optionLimit) {
      facts.error ??= http1Error.too_many_connection_options;
      break;
    } else if (isToken(option)) list.push(option);
    else facts.error ??= http1Error.bad_connection_option;
  }
  return list;
}

// A peer must not make us drop what frames the message, routes it, or tells the next hop who asked.
const untouchable: ReadonlySet<string> = new Set([
  'host',
  'content-length',
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-forwarded-client-cert',
]);

function applyNominated(
  facts: MessageFacts,
  names: readonly string[],
  nominated: readonly string[],
  upgrade: string | null,
): void {
  for (const option of nominated) {
    if (option === 'upgrade') {
      facts.upgrade = upgrade;
      continue;
    }
    // `TE` must be listed by whoever sends it; noteTe has decided on it.
    if (option === 'te') continue;
    if (untouchable.has(option)) {
      facts.error ??= http1Error.bad_connection_option;
      continue;
    }
    for (let slot = 0; slot < names.length; slot++) {
      if (names[slot] === option && !facts.isHop(slot)) facts.markHop(slot);
    }
  }
}
