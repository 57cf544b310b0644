// Distinguished names as text (RFC 2253), from their DER. Whatever is not plain printable ASCII leaves escaped, so the text is
// safe in headers and logs.

import { DER, type DerElement, DerReader, formatObjectId } from './der-reader.ts';

const shortNames: Readonly<Record<string, string>> = {
  '2.5.4.3': 'CN',
  '2.5.4.4': 'SN',
  '2.5.4.5': 'serialNumber',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.9': 'street',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
  '2.5.4.12': 'title',
  '2.5.4.42': 'GN',
  '0.9.2342.19200300.100.1.1': 'UID',
  '0.9.2342.19200300.100.1.25': 'DC',
  '1.2.840.113549.1.9.1': 'emailAddress',
};

/** The last name first, as RFC 2253 has it: `CN=web,O=Example`. `element` is a `Name` in `bytes`. */
export function formatDistinguishedName(bytes: Buffer, element: DerElement): string {
  const names = new DerReader(bytes, element.contentStart, element.end);
  const parts: string[] = [];
  while (!names.atEnd) parts.unshift(formatRelativeName(names.enter('relative name', DER.SET)));
  return parts.join(',');
}

function formatRelativeName(set: DerReader): string {
  const parts: string[] = [];
  while (!set.atEnd) {
    const pair = set.enter('name attribute', DER.SEQUENCE);
    const type = formatObjectId(pair.content(pair.next('attribute type', DER.OBJECT_ID)));
    parts.push(formatAttribute(pair, type, pair.next('attribute value')));
  }
  return parts.join('+');
}

function formatAttribute(reader: DerReader, type: string, value: DerElement): string {
  const shortName = shortNames[type];
  const text = shortName === undefined ? null : decodeText(value.tag, reader.content(value));
  if (shortName === undefined || text === null) {
    return `${shortName ?? type}=#${reader.bytes.subarray(value.start, value.end).toString('hex').toUpperCase()}`;
  }
  return `${shortName}=${escapeValue(text)}`;
}

/** The text of a directory string as UTF-8 bytes, or null for a type that is no text. */
function decodeText(tag: number, content: Buffer): Buffer | null {
  switch (tag) {
    case DER.UTF8_STRING:
    case DER.PRINTABLE_STRING:
    case DER.IA5_STRING:
      return content;
    case DER.TELETEX_STRING:
      return Buffer.from(content.toString('latin1'), 'utf8');
    case DER.BMP_STRING:
      return content.length % 2 === 0 ? Buffer.from(Buffer.from(content).swap16().toString('utf16le'), 'utf8') : null;
    default:
      return null;
  }
}

function escapeValue(text: Buffer): string {
  let out = '';
  for (let i = 0; i < text.length; i++) {
    const byte = text[i] as number;
    const char = String.fromCharCode(byte);
    if (byte < 0x20 || byte > 0x7e) out += `\\${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    else if (',+"\\<>;'.includes(char) || isEdge(char, i, text.length)) out += `\\${char}`;
    else out += char;
  }
  return out;
}

function isEdge(char: string, index: number, length: number): boolean {
  if (char === ' ') return index === 0 || index === length - 1;
  return char === '#' && index === 0;
}
