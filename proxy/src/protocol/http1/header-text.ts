// Headers -> lines of text. What a block says unchanged is taken from the text it was decoded from and kept with the block, so that
// forwarding it again is one append.

import { type ByteWriter, ownText } from '@weft/lib/bytes';
import type { HeaderBlock, Headers } from '@weft/lib/header';
import { factsOf, type MessageFacts } from './message-facts.ts';

const maskBits = 31;

const everyIllegalInValue = /[^\t\x20-\x7e\x80-\xff]/g;

/** The value as it may be sent: what could end the line, or is no latin1 character, becomes a space. */
export function cleanValue(value: string): string {
  // A loop, as most values are short: it costs less than the call of an expression.
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    const isLegal = code >= 0x20 ? code <= 0xff && code !== 0x7f : code === 0x09;
    if (!isLegal) return value.replace(everyIllegalInValue, ' ');
  }
  return value;
}

/** Leave out the Host line too. */
export const SKIP_HOST = 1;
/** Leave out the Content-Length line too. */
export const SKIP_LENGTH = 2;

/** The lines of what is present of the block, without those that are not forwarded and those that `skip` names. */
export function blockText(headers: Headers, facts: MessageFacts, skip: number): string {
  const block = headers.base;
  let skipped = headers.removedMask | facts.hopMask;
  let late = 0;
  if ((skip & SKIP_HOST) !== 0) {
    if (facts.hostSlot >= maskBits) late |= SKIP_HOST;
    else if (facts.hostSlot >= 0) skipped |= 1 << facts.hostSlot;
  }
  if ((skip & SKIP_LENGTH) !== 0) {
    if (facts.contentLengthSlot >= maskBits) late |= SKIP_LENGTH;
    else if (facts.contentLengthSlot >= 0) skipped |= 1 << facts.contentLengthSlot;
  }
  const isCacheable = late === 0;
  if (isCacheable && facts.textMask === skipped) return keptText(facts);
  const section = facts.section ?? makeSection(block, facts);
  if (isCacheable && skipped === 0 && facts.hopSlots === null) return section;
  const text = cutSection(section, block.names.length, skipped, facts, late);
  if (!isCacheable) return text;
  facts.textMask = skipped;
  facts.text = text;
  facts.isTextWhole = false;
  return text;
}

// One piece in memory instead of many that are joined at every use: for a head that came before, not for one of many that differ.
function keptText(facts: MessageFacts): string {
  if (!facts.isTextWhole) {
    facts.text = ownText(facts.text);
    facts.isTextWhole = true;
  }
  return facts.text;
}

// Slots beyond the mask are rare: they are looked up one by one.
function isLateSkip(slot: number, facts: MessageFacts, late: number): boolean {
  if (slot === facts.hostSlot && (late & SKIP_HOST) !== 0) return true;
  if (slot === facts.contentLengthSlot && (late & SKIP_LENGTH) !== 0) return true;
  return facts.isHop(slot);
}

function cutSection(section: string, count: number, skipped: number, facts: MessageFacts, late: number): string {
  let text = '';
  let from = 0;
  let at = 0;
  for (let slot = 0; slot < count; slot++) {
    const next = section.indexOf('\r\n', at) + 2;
    const isSkipped = slot < maskBits ? (skipped & (1 << slot)) !== 0 : isLateSkip(slot, facts, late);
    if (isSkipped) {
      if (at > from) text += section.slice(from, at);
      from = next;
    }
    at = next;
  }
  return text + section.slice(from);
}

function makeSection(block: HeaderBlock, facts: MessageFacts): string {
  let text = '';
  for (let slot = 0; slot < block.names.length; slot++) {
    text += `${block.rawNames[slot] as string}: ${cleanValue(block.values[slot] as string)}\r\n`;
  }
  facts.section = text;
  return text;
}

/** Writes one line. `name` is written as it is. */
export function appendLine(out: ByteWriter, name: string, value: string): void {
  out.latin1(name);
  out.latin1(': ');
  out.latin1(cleanValue(value));
  out.latin1('\r\n');
}

/** Writes the lines of what was added to the block, without those names that the encoder writes itself. */
export function appendAdded(out: ByteWriter, headers: Headers, skip: ReadonlySet<string>): void {
  for (let slot = headers.base.names.length; slot < headers.slots; slot++) {
    const name = headers.nameAt(slot);
    if (!skip.has(name)) appendLine(out, name, headers.valueAt(slot));
  }
}

/** The facts of what lies below the changes. */
export function baseFacts(headers: Headers): MessageFacts {
  return factsOf(headers.base);
}
