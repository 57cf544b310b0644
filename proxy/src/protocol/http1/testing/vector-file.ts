// Reads the vectors of testdata/: documentation that runs, and the fuzzer's corpus. See testdata/README.md for the format.

import { readdirSync, readFileSync } from 'node:fs';
import { assert } from '@weft/lib/assert';
import { defaultHttp1Limits, type Http1Limits } from '../decode.ts';
import type { RecordOptions } from './event-recorder.ts';

/** One case. */
export interface Vector {
  readonly name: string;
  readonly input: Buffer;
  readonly options: RecordOptions;
  readonly events: readonly string[];
}

const folder = new URL('../testdata/', import.meta.url);

/** The bytes that a block of a vector stands for. Line ends of the file mean nothing; escapes and `{{text*count}}` say what the bytes are. */
export function parseBytes(text: string): Buffer {
  const escapes: Record<string, string> = { r: '\r', n: '\n', t: '\t', '0': '\0', '\\': '\\' };
  const plain = text
    .replaceAll('\n', '')
    .replace(/\\(?:x([0-9a-f]{2})|(.))/g, (_, hex?: string, letter?: string) =>
      hex === undefined ? (escapes[letter ?? ''] ?? '') : String.fromCharCode(Number.parseInt(hex, 16)),
    )
    .replace(/\{\{(.*?)\*(\d+)\}\}/gs, (_, part: string, count: string) => part.repeat(Number(count)));
  return Buffer.from(plain, 'latin1');
}

function parseOptions(info: string): RecordOptions {
  const words = info.split(/\s+/);
  const optionOf = (key: string) => words.find((word) => word.startsWith(`${key}=`))?.slice(key.length + 1);
  const limits: Http1Limits = {
    maxHeaderBytes: Number(optionOf('max-bytes') ?? defaultHttp1Limits.maxHeaderBytes),
    maxHeaderCount: Number(optionOf('max-count') ?? defaultHttp1Limits.maxHeaderCount),
    maxTrailerBytes: Number(optionOf('max-trailer-bytes') ?? defaultHttp1Limits.maxHeaderBytes),
    allowHttp10: words.includes('http10'),
  };
  const responseTo = words[0] === 'response' ? (optionOf('to') ?? 'GET').split(',') : null;
  return { limits, responseTo, eof: words.includes('eof'), headers: words.includes('headers') };
}

function readFile(file: string): Vector[] {
  const text = readFileSync(new URL(file, folder), 'utf8');
  const sections = text.split(/^## /m).slice(1);
  return sections.map((section) => {
    const name = section.slice(0, section.indexOf('\n'));
    const blocks = [...section.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)];
    const [input, events] = blocks;
    assert(
      input !== undefined && events !== undefined && events[1] === 'events' && blocks.length === 2,
      `${file}: ${name}`,
    );
    return {
      name: `${file}: ${name}`,
      input: parseBytes(input[2] ?? ''),
      options: parseOptions(input[1] ?? ''),
      events: (events[2] ?? '').trimEnd().split('\n'),
    };
  });
}

/** The cases of every file, by file name. */
export function readVectors(): Map<string, Vector[]> {
  const files = readdirSync(folder).filter((name) => name.endsWith('.md') && name !== 'README.md');
  return new Map(files.map((file) => [file, readFile(file)]));
}
