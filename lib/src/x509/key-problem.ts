// Why a private key cannot be read, in words of our own: OpenSSL's would not help, and a message about a key holds nothing of it.

/** What is wrong, and what to do. */
export function describeKeyProblem(pem: string, hasPassphrase: boolean): string {
  if (pem.trim() === '') return 'it is empty; write the key into it';
  if (!pem.includes('-----BEGIN ')) return 'it is not PEM; convert it';
  if (!/-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/.test(pem)) {
    return pem.includes('-----BEGIN CERTIFICATE-----')
      ? 'it holds a certificate and no key; give the file of the key'
      : 'it holds no private key; give the file of the key';
  }
  if (/-----BEGIN ENCRYPTED |^Proc-Type: 4,ENCRYPTED/m.test(pem)) {
    return hasPassphrase
      ? 'it is encrypted, and not with the password that is given; correct the password'
      : 'it is encrypted; give its password, or a key that is not encrypted';
  }
  return 'it is damaged, or of a kind that is not known; make it anew';
}
