// Attacks by a client over HTTP/1.

import { type ClientScenario, repeated } from './scenario.ts';

const head = 'GET / HTTP/1.1\r\nhost: a\r\n';
const chunked = 'POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n';

function attack(
  name: string,
  first: string,
  more: Partial<ClientScenario> & { readonly rest?: string } = {},
): ClientScenario {
  const { rest, ...others } = more;
  const again = rest === undefined ? {} : { again: repeated(Buffer.from(rest, 'latin1')) };
  return { name, first: Buffer.from(first, 'latin1'), ...again, ...others };
}

export const http1ClientScenarios: readonly ClientScenario[] = [
  attack('slow head', head, { held: 200, again: Buffer.from('a: 1\r\n') }),
  attack('slow body', 'POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\n', {
    held: 200,
    again: Buffer.from('x'),
    isServed: true,
  }),
  attack('a thousand headers', `${head}${Array.from({ length: 1000 }, (_, i) => `a${i}: 1\r\n`).join('')}\r\n`),
  attack('endless header', `${head}a: `, { rest: 'x' }),
  attack('endless extensions', chunked, { rest: '1;a=b\r\nx\r\n' }),
  attack('one endless extension', `${chunked}1;a=`, { rest: 'x' }),
  attack('tiny chunks', chunked, { rest: '1\r\nx\r\n', isServed: true }),
  attack('malformed heads', 'GET  / HTTP/1.1\r\n\r\n'),
  attack('pipelining', '', { rest: `${head}\r\n`, isServed: true }),
  attack('deaf pipelining', '', { rest: `${head}\r\n`, isServed: true, manners: 'deaf' }),
  attack('half open', '', { held: 500 }),
  attack('connect and leave', `${head}\r\n`, { isServed: true, manners: 'leave', connections: 2000 }),
  attack('slow reading', 'GET /large HTTP/1.1\r\nhost: a\r\n\r\n', { held: 50, manners: 'deaf', isServed: true }),
];
