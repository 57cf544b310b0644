// Reads an X.509 certificate (RFC 5280) straight from its DER: the names as they were signed, never through text in which a
// quoted or escaped name could pose as several.

import { nodeCrypto } from '../lazy-node.ts';
import { DER, type DerElement, DerReader, formatObjectId } from './der-reader.ts';
import { formatDistinguishedName } from './distinguished-name.ts';
import { X509Error } from './x509-error.ts';

/** The subject alternative names by kind, in order. */
export interface SubjectAltNames {
  readonly uris: readonly string[];
  readonly dnsNames: readonly string[];
  /** Canonical text: dotted IPv4, compressed lower-case IPv6. */
  readonly ipAddresses: readonly string[];
  readonly emails: readonly string[];
}

/** What policies and status pages need of a certificate. */
export interface CertificateFacts {
  readonly der: Buffer;
  /** Lower-case hex without leading zeros. */
  readonly serial: string;
  /** RFC 2253 text. */
  readonly subject: string;
  readonly issuer: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly names: SubjectAltNames;
  readonly isCa: boolean;
  /** The SubjectPublicKeyInfo. */
  readonly publicKeyDer: Buffer;
}

const noNames: SubjectAltNames = { uris: [], dnsNames: [], ipAddresses: [], emails: [] };
const oidSubjectAltName = '2.5.29.17';
const oidBasicConstraints = '2.5.29.19';

/** Throws `X509Error` for anything malformed, names with control or non-ASCII characters included. */
export function parseCertificate(der: Buffer): CertificateFacts {
  const outer = new DerReader(der);
  const body = outer.enter('certificate', DER.SEQUENCE).enter('TBSCertificate', DER.SEQUENCE);
  if (!outer.atEnd) throw new X509Error('certificate: bytes after its end');
  if (body.peekTag() === 0xa0) body.next('version');
  const serial = body
    .content(body.next('serial number', DER.INTEGER))
    .toString('hex')
    .replace(/^0+(?=.)/, '');
  body.next('signature algorithm', DER.SEQUENCE);
  const issuer = formatDistinguishedName(der, body.next('issuer', DER.SEQUENCE));
  const validity = body.enter('validity', DER.SEQUENCE);
  const notBeforeMs = readTime(validity);
  const notAfterMs = readTime(validity);
  const subject = formatDistinguishedName(der, body.next('subject', DER.SEQUENCE));
  const key = body.next('public key', DER.SEQUENCE);
  const { names, isCa } = readExtensions(body);
  const publicKeyDer = der.subarray(key.start, key.end);
  return { der, serial, subject, issuer, notBeforeMs, notAfterMs, names, isCa, publicKeyDer };
}

/** SHA-256 of a certificate's DER in lower-case hex. */
export function certificateHash(der: Uint8Array): string {
  return nodeCrypto().createHash('sha256').update(der).digest('hex');
}

/** SHA-256 of the SubjectPublicKeyInfo in base64. */
export function publicKeyHash(facts: CertificateFacts): string {
  return nodeCrypto().createHash('sha256').update(facts.publicKeyDer).digest('base64');
}

/** RFC 5280 §4.1.2.5: UTCTime until 2049, GeneralizedTime after, always in UTC with seconds. */
function readTime(reader: DerReader): number {
  const element = reader.next('validity time');
  const text = reader.content(element).toString('latin1');
  const digits = element.tag === DER.UTC_TIME ? 12 : 14;
  if (!(element.tag === DER.UTC_TIME || element.tag === DER.GENERALIZED_TIME) || !/^\d+Z$/.test(text)) {
    throw new X509Error('validity: not a time in UTC');
  }
  if (text.length !== digits + 1) throw new X509Error('validity: a time without seconds, or with fractions');
  const short = Number(text.slice(0, 2));
  const year = digits === 14 ? Number(text.slice(0, 4)) : short + (short >= 50 ? 1900 : 2000);
  const [month = 0, day = 0, hour = 0, minute = 0, second = 0] = (text.slice(digits - 10).match(/\d\d/g) ?? []).map(
    Number,
  );
  return Date.UTC(year, month - 1, day, hour, minute, second);
}

function readExtensions(body: DerReader): { names: SubjectAltNames; isCa: boolean } {
  let names = noNames;
  let isCa = false;
  while (!body.atEnd) {
    const element = body.next('optional field');
    if (element.tag !== 0xa3) continue;
    const list = new DerReader(body.bytes, element.contentStart, element.end).enter('extensions', DER.SEQUENCE);
    while (!list.atEnd) {
      const extension = list.enter('extension', DER.SEQUENCE);
      const id = formatObjectId(extension.content(extension.next('extension id', DER.OBJECT_ID)));
      if (extension.peekTag() === DER.BOOLEAN) extension.next('critical');
      const value = extension.next('extension value', DER.OCTET_STRING);
      if (id === oidSubjectAltName) names = readAltNames(body.bytes, value);
      if (id === oidBasicConstraints) isCa = readIsCa(body.bytes, value);
    }
  }
  return { names, isCa };
}

function readIsCa(bytes: Buffer, value: DerElement): boolean {
  const constraints = new DerReader(bytes, value.contentStart, value.end).enter('basic constraints', DER.SEQUENCE);
  if (constraints.peekTag() !== DER.BOOLEAN) return false;
  return constraints.content(constraints.next('ca'))[0] !== 0;
}

const TAG_EMAIL = 0x81;
const TAG_DNS = 0x82;
const TAG_URI = 0x86;
const TAG_IP = 0x87;

/** Reads `GeneralNames`; kinds that nothing here matches on (directory names, other names) are passed over. */
function readAltNames(bytes: Buffer, value: DerElement): SubjectAltNames {
  const list = new DerReader(bytes, value.contentStart, value.end).enter('subject alternative names', DER.SEQUENCE);
  const names = { uris: [] as string[], dnsNames: [] as string[], ipAddresses: [] as string[], emails: [] as string[] };
  while (!list.atEnd) {
    const element = list.next('subject alternative name');
    const content = list.content(element);
    if (element.tag === TAG_URI) names.uris.push(readName(content));
    else if (element.tag === TAG_DNS) names.dnsNames.push(readName(content));
    else if (element.tag === TAG_EMAIL) names.emails.push(readName(content));
    else if (element.tag === TAG_IP) names.ipAddresses.push(formatIpBytes(content));
  }
  return names;
}

// A NUL, a space or a byte beyond ASCII has no business in these names; whoever put it there wants a reader to trip.
function readName(content: Buffer): string {
  for (const byte of content) {
    if (byte <= 0x20 || byte >= 0x7f)
      throw new X509Error('subject alternative name: a character that names cannot hold');
  }
  return content.toString('latin1');
}

/** Canonical text of 4 or 16 address bytes. */
function formatIpBytes(content: Buffer): string {
  if (content.length === 4) return content.join('.');
  if (content.length !== 16) throw new X509Error('subject alternative name: an IP address of odd length');
  const groups: string[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(content.readUInt16BE(i).toString(16));
  return new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1);
}
