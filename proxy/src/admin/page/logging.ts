// `/logging`: the level of each component; POST `?level=debug` changes all, `?xds=debug` or `?paths=xds:debug,...` some.

import { type LogLevel, logLevels, parseLogLevel } from '@weft/lib/log';
import { type AdminReply, type AdminRequest, textReply } from '../reply.ts';
import type { AdminState } from '../state.ts';

interface Change {
  /** Null is every component. */
  readonly component: string | null;
  readonly level: LogLevel;
}

export function loggingPage(state: AdminState, request: AdminRequest): AdminReply {
  const { query } = request;
  if (query.size === 0) return textReply(describe(state));
  if (request.method !== 'POST') return textReply('levels are changed by POST\n', 405);
  const changes = readChanges(state, query);
  if (typeof changes === 'string') return textReply(`${changes}\n`, 400);
  for (const { component, level } of changes) {
    if (component === null) state.logControl.setAll(level);
    else state.logControl.set(component, level);
  }
  return textReply(describe(state));
}

function describe(state: AdminState): string {
  const lines = state.logControl.levels().map(([component, level]) => `  ${component}: ${level}\n`);
  return `active loggers:\n${lines.join('')}`;
}

// All or nothing: a typing error in one pair leaves every level as it was.
function readChanges(state: AdminState, query: URLSearchParams): Change[] | string {
  const known = new Set(state.logControl.levels().map(([component]) => component));
  const changes: Change[] = [];
  for (const [component, levelText] of pairsOf(query)) {
    const level = parseLogLevel(levelText);
    if (level === null) return `'${levelText}' is no level; use one of ${logLevels.join(', ')}`;
    if (component !== null && !known.has(component)) {
      return `there is no component '${component}'; there are ${[...known].join(', ')}`;
    }
    changes.push({ component, level });
  }
  return changes;
}

function pairsOf(query: URLSearchParams): [component: string | null, level: string][] {
  const pairs: [string | null, string][] = [];
  for (const [name, value] of query) {
    if (name === 'level') pairs.push([null, value]);
    else if (name === 'paths') pairs.push(...value.split(',').map(splitPair));
    else pairs.push([name, value]);
  }
  return pairs;
}

function splitPair(text: string): [string, string] {
  const colon = text.indexOf(':');
  return colon < 0 ? [text, ''] : [text.slice(0, colon), text.slice(colon + 1)];
}
