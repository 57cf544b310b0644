// The certificates of the tls and mtls cases: one authority, one leaf that may act as server and as client. ECDSA P-256.

import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { needProgram } from './program.ts';

/** Paths of PEM files. */
export interface Certificates {
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
}

/** The DNS name in the leaf. */
export const serverName = 'localhost';

/** Makes them in `folder`, valid for two days. */
export function makeCertificates(folder: string): Certificates {
  const openssl = needProgram('openssl', 'openssl');
  const run = (...parts: string[]) => execFileSync(openssl, parts, { cwd: folder, stdio: 'pipe' });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  run(
    'req',
    '-x509',
    ...newKey,
    '-keyout',
    'authority.key',
    '-out',
    'authority.pem',
    '-days',
    '2',
    '-subj',
    '/CN=bench authority',
  );
  run('req', ...newKey, '-keyout', 'leaf.key', '-out', 'leaf.csr', '-subj', '/CN=bench leaf');
  const names = `subjectAltName=DNS:${serverName},IP:127.0.0.1,URI:spiffe://bench.local/ns/default/sa/bench`;
  writeFileSync(join(folder, 'leaf.ext'), `${names}\nextendedKeyUsage=serverAuth,clientAuth\n`);
  const signing = ['-CA', 'authority.pem', '-CAkey', 'authority.key', '-CAcreateserial', '-extfile', 'leaf.ext'];
  run('x509', '-req', '-in', 'leaf.csr', ...signing, '-out', 'leaf.pem', '-days', '2');
  const at = (name: string) => join(folder, name);
  return { authority: at('authority.pem'), certificate: at('leaf.pem'), key: at('leaf.key') };
}
