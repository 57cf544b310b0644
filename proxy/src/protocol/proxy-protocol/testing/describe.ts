// A header as one line of text, so that tests can compare it.

import { isMalformed } from '../decode.ts';
import type { DecodedHeader, MalformedHeader } from '../header.ts';

/** `192.0.2.1:50000 > 198.51.100.1:443 ea=deadbeef`, `no ends`, or what is wrong. */
export function describeHeader(result: DecodedHeader | MalformedHeader): string {
  if (isMalformed(result)) return result.problem;
  const { ends, tlvs } = result.header;
  const from =
    ends === null
      ? 'no ends'
      : `${ends.source.address}:${ends.source.port} > ${ends.destination.address}:${ends.destination.port}`;
  return [
    from,
    ...tlvs.map(({ type, value }) => `${type.toString(16).padStart(2, '0')}=${value.toString('hex')}`),
  ].join(' ');
}
