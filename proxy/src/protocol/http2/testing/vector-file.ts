// Reads the vectors of testdata/: documentation that runs, and the fuzzer's corpus. See testdata/README.md for the format.

import { readdirSync, readFileSync } from 'node:fs';
import { assert } from '@weft/lib/assert';
import type { Http2Role } from '../open-streams.ts';
import { framesOf } from './frame-script.ts';
import { Peer } from './peer.ts';

/** One case. */
export interface Vector {
  readonly name: string;
  readonly role: Http2Role;
  /** Requests that a client opens before the bytes come. */
  readonly opens: readonly string[];
  readonly answers: boolean;
  readonly input: Buffer;
  readonly expected: readonly string[];
}

const folder = new URL('../testdata/', import.meta.url);
const noise: ReadonlySet<string> = new Set(['SETTINGS', 'SETTINGS ack']);

/** What the codec tells and writes when it is given the bytes, cut at those offsets. */
export function runVector(vector: Omit<Vector, 'name' | 'expected'>, cuts: readonly number[]): string[] {
  const peer = new Peer(vector.role, { answers: vector.answers });
  peer.connection.start();
  for (const method of vector.opens) peer.open({ method }, method !== 'POST');
  peer.written();
  peer.receive(vector.input, cuts);
  // When a window is opened again depends on how the bytes were cut.
  const frames = peer.frames().filter((line) => !noise.has(line) && !line.startsWith('WINDOW_UPDATE'));
  return [...peer.events, ...frames.map((line) => `> ${line}`)];
}

function readFile(file: string): Vector[] {
  const sections = readFileSync(new URL(file, folder), 'utf8').split(/^## /m).slice(1);
  return sections.map((section) => {
    const name = `${file}: ${section.slice(0, section.indexOf('\n'))}`;
    const [input, events] = [...section.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)];
    assert(input !== undefined && events !== undefined, name);
    const words = (input[1] ?? '').split(/\s+/);
    const role: Http2Role = words[0] === 'client' ? 'client' : 'server';
    const opens = role === 'client' ? words.filter((word) => /^[A-Z]+$/.test(word)) : [];
    const start = words.includes('bare') ? '' : role === 'server' ? 'preface\nsettings\n' : 'settings\n';
    const script = framesOf(start + (input[2] ?? ''));
    const expected = (events[2] ?? '')
      .split('\n')
      .slice(0, -1)
      .filter((line) => line !== '');
    return { name, role, opens, answers: words.includes('answers'), input: script, expected };
  });
}

/** The cases of every file, by file name. */
export function readVectors(): Map<string, Vector[]> {
  const files = readdirSync(folder).filter((name) => name.endsWith('.md') && name !== 'README.md');
  return new Map(files.map((file) => [file, readFile(file)]));
}
