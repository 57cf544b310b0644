// Reads the corpus: the Markdown files of corpus/ and the vectors of both codecs. See corpus/README.md for the format.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { defaultHttp1Limits } from '@weft/proxy/protocol/http1/decode';
import {
  type Vector as Http1Vector,
  parseBytes,
  readVectors as readHttp1Vectors,
} from '@weft/proxy/protocol/http1/testing/vector-file';
import { framesOf } from '@weft/proxy/protocol/http2/testing/frame-script';
import {
  type Vector as Http2Vector,
  readVectors as readHttp2Vectors,
} from '@weft/proxy/protocol/http2/testing/vector-file';
import { type Case, type CaseWithoutAddress, type HttpVersion, type ListenerKind, listenerKinds } from './case.ts';

const folder = join(import.meta.dirname, 'corpus');
const placeholder = '@@';

/** A fenced block: the words behind the fence and what is in it. */
interface Block {
  readonly words: readonly string[];
  readonly text: string;
}

/** Every case there is, each under a name of its own. */
export function readCorpus(): Case[] {
  const files = readdirSync(folder).filter((file) => file.endsWith('.md') && file !== 'README.md');
  const own = files.sort().flatMap(readFile);
  const http1 = [...readHttp1Vectors().values()].flat().flatMap(fromHttp1Vector);
  const http2 = [...readHttp2Vectors().values()].flat().flatMap(fromHttp2Vector);
  const all = [...own, ...http1, ...http2];
  const names = new Set<string>();
  for (const { name } of all) {
    if (names.has(name)) throw new Error(`two cases are called ${name}`);
    names.add(name);
  }
  return all.map((one, number) => ({ ...one, address: addressOf(number) }));
}

// Not 127.0.0.1, for which Envoy puts another address of the machine into X-Forwarded-For.
function addressOf(number: number): string {
  return `127.1.${number >> 8}.${number & 255}`;
}

function readFile(file: string): CaseWithoutAddress[] {
  const theme = file.replace('.md', '');
  const sections = readFileSync(join(folder, file), 'utf8').split(/^## /m).slice(1);
  return sections.flatMap((section) => {
    const heading = section.slice(0, section.indexOf('\n'));
    const blocks = [...section.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)].map(
      ([, words = '', text = '']): Block => ({ words: words.split(/\s+/), text }),
    );
    const each = blocks.find(({ words }) => words[0] === 'each');
    if (each === undefined) return [makeCase(`${theme}: ${heading}`, blocks, '')];
    const variations = each.text.split('\n').filter((line) => line !== '');
    return variations.map((line) => makeCase(`${theme}: ${heading}: ${line}`, blocks, line));
  });
}

function makeCase(name: string, blocks: readonly Block[], variation: string): CaseWithoutAddress {
  const request = blocks.find(({ words }) => words[0] === 'request' || words[0] === 'frames');
  const answer = blocks.find(({ words }) => words[0] === 'response' || words[0] === 'answer');
  if (request === undefined) throw new Error(`${name}: no request`);
  const fill = (text: string) => text.replaceAll(placeholder, variation);
  const isHttp2 = request.words[0] === 'frames';
  const start = request.words.includes('bare') ? '' : 'preface\nsettings\n';
  const answersHttp2 = answer?.words[0] === 'answer';
  return {
    name,
    kind: kindOf(request.words),
    downstream: isHttp2 ? 'http2' : 'http1',
    upstream: answersHttp2 || request.words.includes('to=http2') ? 'http2' : 'http1',
    input: isHttp2 ? framesOf(start + onLines(fill(request.text))) : parseBytes(fill(request.text)),
    eof: request.words.includes('eof'),
    answer: answer === undefined ? null : answersHttp2 ? onLines(fill(answer.text)) : parseBytes(fill(answer.text)),
    answerCloses: answer?.words.includes('close') === true,
  };
}

// A variation of several frames is one line.
function onLines(script: string): string {
  return script.replaceAll(' // ', '\n');
}

function kindOf(words: readonly string[]): ListenerKind {
  return listenerKinds.find((kind) => words.includes(kind)) ?? 'plain';
}

const noAnswer = { answer: null, answerCloses: false } as const;

function fromHttp1Vector({ name, input, options }: Http1Vector): CaseWithoutAddress[] {
  const { limits, responseTo, eof } = options;
  const isUsual =
    limits.maxHeaderBytes === defaultHttp1Limits.maxHeaderBytes &&
    limits.maxHeaderCount === defaultHttp1Limits.maxHeaderCount &&
    limits.maxTrailerBytes === defaultHttp1Limits.maxHeaderBytes;
  if (!isUsual) return [];
  const kind = limits.allowHttp10 ? 'edge' : 'plain';
  const both = { downstream: 'http1', upstream: 'http1' } as const;
  if (responseTo === null) return [{ name: `http1/${name}`, kind, ...both, input, eof, ...noAnswer }];
  const [method = 'GET', ...more] = responseTo;
  if (more.length > 0 || method === 'CONNECT') return [];
  const request = Buffer.from(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`);
  return [{ name: `http1/${name}`, kind, ...both, input: request, eof: false, answer: input, answerCloses: eof }];
}

const settingsFrameBytes = 9;

function fromHttp2Vector({ name, role, opens, input }: Http2Vector): CaseWithoutAddress[] {
  const http2: HttpVersion = 'http2';
  const head = { name: `http2/${name}`, kind: 'plain', eof: false } as const;
  if (role === 'server') return [{ ...head, downstream: http2, upstream: 'http1', input, ...noAnswer }];
  const [method = '', ...more] = opens;
  if (more.length > 0 || !/^(?:GET|HEAD)$/.test(method)) return [];
  const request = Buffer.from(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`);
  // The upstream has sent its SETTINGS when the request comes.
  const answer = input.subarray(settingsFrameBytes);
  return [{ ...head, downstream: 'http1', upstream: http2, input: request, answer, answerCloses: false }];
}
