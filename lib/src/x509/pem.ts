// PEM (RFC 7468): text armour around DER, in and out.

import { X509Error } from './x509-error.ts';

/** One armoured block. */
export interface PemBlock {
  /** Such as `CERTIFICATE` or `PRIVATE KEY`. */
  readonly label: string;
  readonly der: Buffer;
}

const blockPattern = /-----BEGIN ([A-Z0-9 ]+)-----([^-]*)-----END ([A-Z0-9 ]+)-----/g;
const base64Pattern = /^[A-Za-z0-9+/]+={0,2}$/;

/** Every block of the text, in order; text between blocks is ignored, a damaged block is an `X509Error`. */
export function parsePem(text: string): PemBlock[] {
  const blocks: PemBlock[] = [];
  for (const match of text.matchAll(blockPattern)) {
    const [, label = '', body = '', endLabel] = match;
    if (label !== endLabel) throw new X509Error(`PEM: BEGIN ${label} is closed by END ${endLabel}`);
    // An encrypted legacy key has header lines; they hold a colon and end at an empty line.
    const base64 = body.slice(endOfHeaders(body)).replaceAll(/\s/g, '');
    if (!base64Pattern.test(base64)) throw new X509Error(`PEM: the ${label} block is not base64`);
    blocks.push({ label, der: Buffer.from(base64, 'base64') });
  }
  if (text.split('-----BEGIN ').length - 1 !== blocks.length) throw new X509Error('PEM: a block is not closed');
  return blocks;
}

function endOfHeaders(body: string): number {
  if (!body.includes(':')) return 0;
  const blank = /\r?\n\r?\n/.exec(body);
  return blank === null ? 0 : blank.index + blank[0].length;
}

/** The DER of every `CERTIFICATE` block; an `X509Error` when there is none. */
export function parseCertificatePem(text: string): Buffer[] {
  const blocks = parsePem(text).filter(
    (block) => block.label === 'CERTIFICATE' || block.label === 'TRUSTED CERTIFICATE',
  );
  if (blocks.length === 0) throw new X509Error('PEM: there is no CERTIFICATE block');
  return blocks.map((block) => block.der);
}

/** Armours DER, 64 characters a line, ending in a newline. */
export function formatPem(label: string, der: Uint8Array): string {
  const base64 = Buffer.from(der).toString('base64');
  const lines = base64.match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
