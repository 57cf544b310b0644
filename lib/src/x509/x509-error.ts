// The one error of this folder: bytes or text that are not what X.509 says they should be.

/** Malformed DER, PEM, certificate or SPIFFE id. The message names the part that is wrong. */
export class X509Error extends Error {
  override readonly name = 'X509Error';
}
