// Makes certificates for tests and benches: any name, any dates, good or wrong. Nothing that runs in a mesh uses it.

import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { ipBytes } from '../ip-address.ts';
import { parseCertificate } from './certificate.ts';
import { formatPrivateKeyPem } from './csr.ts';
import { DER } from './der-reader.ts';
import {
  derBitString,
  derBoolean,
  derContext,
  derElement,
  derInteger,
  derObjectId,
  derOctetString,
  derSequence,
  derSet,
  derUtf8String,
} from './der-writer.ts';
import { formatPem } from './pem.ts';

/** What the certificate says; whatever is left out has an ordinary value. */
export interface SampleOptions {
  readonly commonName?: string;
  readonly uris?: readonly string[];
  readonly dnsNames?: readonly string[];
  readonly ipAddresses?: readonly string[];
  readonly emails?: readonly string[];
  readonly notBeforeMs?: number;
  readonly notAfterMs?: number;
  readonly isCa?: boolean;
  readonly keyType?: 'ec' | 'rsa';
  /** SubjectPublicKeyInfo of a key held by someone else; `key` of the result is then of no use. */
  readonly publicKeyDer?: Buffer;
  /** Who signs; itself when absent. */
  readonly issuer?: SampleCertificate;
}

/** A certificate with its key and its issuer's name. */
export interface SampleCertificate {
  readonly der: Buffer;
  readonly pem: string;
  readonly key: KeyObject;
  readonly keyPem: string;
  readonly subject: Buffer;
}

const oid = {
  commonName: '2.5.4.3',
  altName: '2.5.29.17',
  constraints: '2.5.29.19',
  ecdsaSha256: '1.2.840.10045.4.3.2',
  rsaSha256: '1.2.840.113549.1.1.11',
};

/** A new certificate with a new key. */
export function makeSampleCertificate(options: SampleOptions = {}): SampleCertificate {
  const key = makeKey(options.keyType ?? 'ec');
  const subject = encodeName(options.commonName);
  const signer = options.issuer?.key ?? key;
  const algorithm =
    signer.asymmetricKeyType === 'rsa'
      ? derSequence(derObjectId(oid.rsaSha256), derElement(DER.NULL))
      : derSequence(derObjectId(oid.ecdsaSha256));
  const body = derSequence(
    derContext(0, false, derInteger(2)),
    derElement(DER.INTEGER, Buffer.from([0x41]), randomBytes(8)),
    algorithm,
    options.issuer?.subject ?? subject,
    derSequence(
      encodeTime(options.notBeforeMs ?? Date.UTC(2020, 0, 1)),
      encodeTime(options.notAfterMs ?? Date.UTC(2120, 0, 1)),
    ),
    subject,
    options.publicKeyDer ?? createPublicKey(key).export({ type: 'spki', format: 'der' }),
    derContext(3, false, derSequence(...encodeExtensions(options))),
  );
  const der = derSequence(body, algorithm, derBitString(sign('sha256', body, signer)));
  return { der, pem: formatPem('CERTIFICATE', der), key, keyPem: formatPrivateKeyPem(key), subject };
}

/** A list by which an issuer takes back certificates of its own, in PEM. */
export function makeSampleRevocationList(issuer: SampleCertificate, revoked: readonly SampleCertificate[]): string {
  const algorithm = derSequence(derObjectId(oid.ecdsaSha256));
  const sinceMs = Date.UTC(2020, 0, 1);
  const entries = revoked.map(({ der }) => {
    const serial = Buffer.from(parseCertificate(der).serial, 'hex');
    return derSequence(derElement(DER.INTEGER, serial), encodeTime(sinceMs));
  });
  const body = derSequence(
    algorithm,
    issuer.subject,
    encodeTime(sinceMs),
    encodeTime(Date.UTC(2120, 0, 1)),
    ...(entries.length === 0 ? [] : [derSequence(...entries)]),
  );
  return formatPem('X509 CRL', derSequence(body, algorithm, derBitString(sign('sha256', body, issuer.key))));
}

/** A self-signed root. */
export function makeSampleRoot(commonName = 'sample root'): SampleCertificate {
  return makeSampleCertificate({ commonName, isCa: true });
}

function makeKey(type: 'ec' | 'rsa'): KeyObject {
  if (type === 'ec') return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  return generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
}

function encodeName(commonName: string | undefined): Buffer {
  if (commonName === undefined) return derSequence();
  return derSequence(derSet(derSequence(derObjectId(oid.commonName), derUtf8String(commonName))));
}

function encodeTime(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replaceAll(/[-:T]|\.\d+/g, '');
  const isShort = ms < Date.UTC(2050, 0, 1);
  return derElement(isShort ? DER.UTC_TIME : DER.GENERALIZED_TIME, Buffer.from(isShort ? digits.slice(2) : digits));
}

function encodeExtensions(options: SampleOptions): Buffer[] {
  const extensions: Buffer[] = [];
  const constraints = options.isCa === true ? derSequence(derBoolean(true)) : derSequence();
  extensions.push(derSequence(derObjectId(oid.constraints), derBoolean(true), derOctetString(constraints)));
  const names = [
    ...(options.emails ?? []).map((text) => derContext(1, true, Buffer.from(text, 'latin1'))),
    ...(options.dnsNames ?? []).map((text) => derContext(2, true, Buffer.from(text, 'latin1'))),
    ...(options.uris ?? []).map((text) => derContext(6, true, Buffer.from(text, 'latin1'))),
    ...(options.ipAddresses ?? []).map((text) => derContext(7, true, Buffer.from(ipBytes(text) ?? []))),
  ];
  if (names.length > 0) extensions.push(derSequence(derObjectId(oid.altName), derOctetString(derSequence(...names))));
  return extensions;
}
