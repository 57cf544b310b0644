// The authority's own key and certificates on disk: made once and kept over restarts, or given as files.

import { createPrivateKey, randomBytes, X509Certificate } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { makeFolder } from '@weft/lib/disk/make-folder';
import { messageOf, WeftError } from '@weft/lib/error';
import { parseCertificate } from '@weft/lib/x509/certificate';
import { formatPem, parseCertificatePem } from '@weft/lib/x509/pem';
import { makeRoot } from './root-certificate.ts';

/** What an authority signs with. All texts are PEM. */
export interface AuthorityFiles {
  readonly certificate: string;
  readonly key: string;
  /** Intermediates between the signing certificate and the root, the signing one included; empty when the root signs. */
  readonly chain: string;
  readonly root: string;
}

/** The file names of Istio's `cacerts`, so that a secret made for it can be used as it is. */
const names = {
  certificate: 'ca-cert.pem',
  key: 'ca-key.pem',
  chain: 'cert-chain.pem',
  root: 'root-cert.pem',
} as const;

/** Reads the authority from the directory, making a self-signed one there when it is empty. */
export async function loadOrMakeAuthority(
  directory: string,
  options: { trustDomain: string; nowMs: number },
): Promise<AuthorityFiles> {
  if (!existsSync(join(directory, names.certificate))) await makeDirectory(directory, options);
  return readAuthority(directory, options.nowMs);
}

/** Reads and checks an authority that exists. Throws `WeftError` saying what is wrong with which file. */
export function readAuthority(directory: string, nowMs: number): AuthorityFiles {
  const files: AuthorityFiles = {
    certificate: readPem(join(directory, names.certificate)),
    key: readPem(join(directory, names.key)),
    chain: existsSync(join(directory, names.chain)) ? readFileSync(join(directory, names.chain), 'utf8') : '',
    root: readPem(rootFileOf(directory)),
  };
  checkAuthority(files, directory, nowMs);
  return files;
}

/** The file with the roots: the signing certificate itself where it is one. */
export function rootFileOf(directory: string): string {
  return join(directory, existsSync(join(directory, names.root)) ? names.root : names.certificate);
}

function readPem(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new WeftError(
      'WEFT0750',
      `cannot read ${path}: ${messageOf(error)}; give the file or let a new authority be made`,
      { cause: error },
    );
  }
}

function checkAuthority(files: AuthorityFiles, directory: string, nowMs: number): void {
  try {
    const certificate = readCertificates(names.certificate, files.certificate)[0] as X509Certificate;
    const facts = parseCertificate(certificate.raw);
    if (!facts.isCa) throw new Error(`${names.certificate} is no authority (CA:FALSE); give one that may sign`);
    if (facts.notAfterMs <= nowMs)
      throw new Error(`${names.certificate} expired at ${new Date(facts.notAfterMs).toISOString()}; replace it`);
    if (!certificate.checkPrivateKey(inFile(names.key, () => createPrivateKey(files.key))))
      throw new Error(`${names.key} does not belong to ${names.certificate}`);
    checkPath(certificate, files);
  } catch (error) {
    throw new WeftError('WEFT0751', `the certificate authority in ${directory} cannot be used: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** Says in which file it failed. */
function inFile<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new Error(`${name}: ${messageOf(error)}`, { cause: error });
  }
}

function readCertificates(name: string, pem: string): X509Certificate[] {
  return inFile(name, () => parseCertificatePem(pem).map((der) => new X509Certificate(der)));
}

/** Follows the issuers from the signing certificate to one of the roots. */
function checkPath(signing: X509Certificate, files: AuthorityFiles): void {
  const roots = readCertificates(names.root, files.root);
  const between = files.chain.trim() === '' ? [] : readCertificates(names.chain, files.chain);
  let current = signing;
  for (let depth = 0; depth <= between.length + 1; depth++) {
    if (roots.some((root) => root.raw.equals(current.raw) || isIssuedBy(current, root))) return;
    const next = between.find((one) => !one.raw.equals(current.raw) && isIssuedBy(current, one));
    if (next === undefined) break;
    current = next;
  }
  throw new Error(
    `no path leads from ${names.certificate} over ${names.chain} to ${names.root}; add the missing certificates`,
  );
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

/** Makes the whole directory beside its place and moves it there, so that a crash leaves nothing half made. */
async function makeDirectory(directory: string, options: { trustDomain: string; nowMs: number }): Promise<void> {
  const { certificateDer, keyPem } = await makeRoot(options.trustDomain, options.nowMs);
  const pem = formatPem('CERTIFICATE', certificateDer);
  const fresh = `${directory}.${randomBytes(6).toString('hex')}.new`;
  makeFolder(dirname(directory), 0o777);
  mkdirSync(fresh, { mode: 0o700 });
  writeDurably(join(fresh, names.key), keyPem, 0o600);
  writeDurably(join(fresh, names.root), pem, 0o644);
  writeDurably(join(fresh, names.certificate), pem, 0o644);
  try {
    renameSync(fresh, directory);
  } catch (error) {
    // Someone was faster, and theirs is as good; an empty directory of that name is replaced by the rename itself.
    rmSync(fresh, { recursive: true, force: true });
    if (!existsSync(join(directory, names.certificate))) {
      throw new WeftError(
        'WEFT0752',
        `cannot store the new certificate authority in ${directory}: ${messageOf(error)}`,
        { cause: error },
      );
    }
  }
  chmodSync(directory, 0o700);
}

/** Writes a new file and has it on the disk before returning. */
export function writeDurably(path: string, text: string, mode: number): void {
  const file = openSync(path, 'wx', mode);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
