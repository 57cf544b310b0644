// Attacks by a client over HTTP/2.

import { framesOf } from '@weft/proxy/protocol/http2/testing/frame-script';
import { type ClientScenario, repeated, streams } from './scenario.ts';

const begin = 'preface\nsettings\n';

function flood(name: string, script: string, more: Partial<ClientScenario> = {}): ClientScenario {
  return { name, first: framesOf(begin + script), ...more };
}

// An entry of 4,000 bytes, then one byte for each time it is used.
const bomb = `4001617fa11e${'61'.repeat(4000)}${'be'.repeat(8000)}`;
// Entries of which the table holds 25, so that each pushes another out.
const thrash = Array.from({ length: 60 }, (_, i) => entry(i)).join('');

function entry(i: number): string {
  const value = Buffer.alloc(100, 97 + (i % 26)).toString('hex');
  return `4002${Buffer.from(`x${String.fromCharCode(97 + (i % 26))}`).toString('hex')}64${value}`;
}

const largeGet = 'headers @ end |:method: GET|:scheme: http|:path: /large|:authority: a';

export const http2ClientScenarios: readonly ClientScenario[] = [
  flood('rapid reset', streams(2000, 'headers @ end |get\nreset @ 8')),
  flood('made to reset', streams(2000, 'headers @ |post\nwindow @ 0')),
  flood('malformed heads', streams(2000, 'headers @ end |get|Bad: 1')),
  flood('too many streams', streams(2000, 'headers @ |post'), { isServed: true }),
  flood('CONTINUATION', `headers 1 open |get\n5000 x continuation 1 open |a: 1`),
  flood('empty CONTINUATION', 'headers 1 open |get\n5000 x continuation 1 open'),
  flood('empty DATA', 'headers 1 |post\n5000 x data 1'),
  flood('padded DATA', 'headers 1 |post\n500 x data 1 pad=250'),
  flood('DATA of one byte', 'headers 1 |post', {
    again: repeated(framesOf('data 1 |x')),
    isServed: true,
  }),
  flood('PING', '5000 x ping'),
  flood('SETTINGS', '5000 x settings 4=70000'),
  flood('PRIORITY', '5000 x priority 1 3'),
  flood('WINDOW_UPDATE', '5000 x window 0 1'),
  flood('HPACK bomb', streams(100, `headers @ end hex=${bomb}`)),
  flood('HPACK table thrash', streams(200, `headers @ end hex=828684410161${thrash}`), { isServed: true }),
  flood('cookie crumbs', streams(100, `headers @ end |get|${'cookie: a|'.repeat(95)}cookie: b`), { isServed: true }),
  flood(
    'large heads',
    streams(100, `headers @ open |get|a: ${'x'.repeat(15_000)}\n3 x continuation @ open |b: ${'x'.repeat(15_000)}`),
  ),
  {
    name: 'window shut',
    first: framesOf(`preface\nsettings 4=0\n${streams(100, largeGet)}`),
    held: 5,
    isServed: true,
  },
  flood('deaf PING', '', { again: repeated(framesOf('ping')), manners: 'deaf' }),
  flood('never finishes a head', 'headers 1 open |get', { held: 100 }),
  flood('never says more', '', { held: 200 }),
  flood('slow body', 'headers 1 |post', { held: 100, again: framesOf('data 1 |x'), isServed: true }),
];
