// The last replies that the mesh itself made, each under an id that the reply carried, so that `weft explain ID` can say why.

import { ownText } from '@weft/lib/bytes';
import type { Origin } from '@weft/lib/issue';
import { makeRequestId } from '@weft/lib/request-id';
import type { FaultCode, FaultSource } from '../fault/fault.ts';
import { faultAdvice } from './fault-advice.ts';
import { describeOrigin } from './operator/connection.ts';
import { formatAddress } from './operator/operator.ts';
import { flagsOf } from './operator/response-flag.ts';
import { type Refusal, refusalOf, responsibleFor } from './responsible.ts';
import type { LoggedView } from './view.ts';

/** One reply of the mesh's own: everything `explain` needs, nothing of the exchange kept alive. */
export interface Decision {
  readonly id: string;
  /** Unix milliseconds of the request's start. */
  readonly timeMs: number;
  /** Fault code, or an empty string for a reply that is no failure. */
  readonly code: string;
  readonly source: FaultSource | '';
  readonly message: string;
  readonly details: string;
  /** What the reply of a route that answers by itself said; its first line. */
  readonly said: string;
  readonly flags: string;
  readonly status: number;
  readonly method: string;
  readonly authority: string;
  /** Without the query, which may hold secrets. */
  readonly path: string;
  readonly protocol: string;
  readonly requestId: string;
  readonly route: string;
  readonly cluster: string;
  readonly host: string;
  readonly attempts: number;
  readonly durationMs: number;
  /** The resource most to the point. */
  readonly origin: Origin | null;
  /** What it is to the exchange. */
  readonly originOf: 'policy' | 'route' | 'cluster' | 'listener';
  /** The policies that refused; null when none did. */
  readonly refusal: Refusal | null;
  readonly client: string;
  /** SPIFFE id of the client, or an empty string. */
  readonly clientIdentity: string;
}

const capacity = 1000;
const saidCharsMax = 500;
/** Of what a client says; a thousand of them are kept. */
const keptCharsMax = 2048;

/** What can be asked about decisions. */
export interface DecisionView {
  /** Decisions ever made, also those that are no longer kept. */
  readonly total: number;
  find(id: string): Decision | null;
  /** The latest first. */
  recent(limit?: number): Decision[];
}

/** A ring of the latest decisions. */
export class DecisionLog implements DecisionView {
  /** Decisions ever made, also those the ring has let go of. */
  total = 0;
  private readonly ring: (Decision | null)[];
  private readonly prefix: string;
  private nextNumber = 1;

  /** The prefix makes ids of different proxies differ; tests give one. */
  constructor(prefix: string = makeRequestId().slice(0, 8), size: number = capacity) {
    this.prefix = prefix;
    this.ring = new Array<Decision | null>(size).fill(null);
  }

  /** An id no other decision has. */
  newId(): string {
    return `${this.prefix}-${(this.nextNumber++).toString(36)}`;
  }

  /** Keeps what matters of an exchange that has its `decisionId`; the oldest entry goes. */
  record(view: LoggedView): void {
    this.ring[this.total % this.ring.length] = decisionOf(view);
    this.total++;
  }

  /** The decision of that id, or null when there was none or it has been pushed out. */
  find(id: string): Decision | null {
    return this.ring.find((decision) => decision?.id === id) ?? null;
  }

  /** The latest first. */
  recent(limit: number = this.ring.length): Decision[] {
    const list: Decision[] = [];
    const kept = Math.min(this.total, this.ring.length);
    for (let back = 1; back <= kept && list.length < limit; back++) {
      const decision = this.ring[(this.total - back) % this.ring.length];
      if (decision !== null && decision !== undefined) list.push(decision);
    }
    return list;
  }
}

function decisionOf(view: LoggedView): Decision {
  const { fault, connection } = view;
  return {
    id: view.decisionId,
    timeMs: view.startWallMs,
    code: fault?.code ?? '',
    source: fault?.source ?? '',
    message: fault?.message ?? '',
    details: view.details,
    said: fault === null ? saidBy(view) : '',
    flags: flagsOf(view),
    status: view.status,
    method: view.method,
    authority: kept(view.authority),
    path: kept(withoutQuery(view.originalPath)),
    protocol: view.protocol,
    requestId: kept(view.requestId),
    route: view.route?.name ?? '',
    cluster: view.cluster?.name ?? '',
    host: view.host?.key ?? '',
    attempts: view.attempts,
    durationMs: Math.max(0, Math.trunc(view.endMs)),
    origin: responsibleFor(view),
    originOf: roleOfOrigin(view),
    refusal: refusalOf(view),
    client: connection.remoteAddress === '' ? '' : formatAddress(connection.remoteAddress, connection.remotePort),
    clientIdentity: connection.peer?.uriSans[0] ?? '',
  };
}

function saidBy({ route }: LoggedView): string {
  const body = route?.directResponse?.body ?? '';
  return body.slice(0, saidCharsMax).split('\n', 1)[0] ?? '';
}

function roleOfOrigin(view: LoggedView): Decision['originOf'] {
  if ((refusalOf(view)?.policies.length ?? 0) > 0) return 'policy';
  if (view.route?.origin) return 'route';
  return view.cluster?.origin ? 'cluster' : 'listener';
}

// A copy: the part of a text keeps the whole of it alive.
function kept(text: string): string {
  return text.length > keptCharsMax ? `${ownText(text.slice(0, keptCharsMax))}...` : ownText(text);
}

function withoutQuery(path: string): string {
  const question = path.indexOf('?');
  return question < 0 ? path : path.slice(0, question);
}

/** The decision as JSON, with `explanation` for a person. */
export function decisionToJson(decision: Decision): Readonly<Record<string, unknown>> {
  const { timeMs, ...rest } = decision;
  return { ...rest, time: new Date(timeMs).toISOString(), explanation: explainDecision(decision) };
}

/** What happened, why, and what to do, in a few sentences. */
export function explainDecision(decision: Decision): string {
  return [whatHappened(decision), whoWasAsked(decision), whoDecided(decision), whatToDo(decision)]
    .filter((sentence) => sentence !== '')
    .join(' ');
}

function whatHappened(decision: Decision): string {
  const request =
    decision.method === ''
      ? `The connection${decision.client === '' ? '' : ` from ${decision.client}`}`
      : `${decision.method} ${decision.authority}${decision.path}`;
  const caller = decision.clientIdentity === '' ? '' : ` from ${decision.clientIdentity}`;
  const answer = decision.status === 0 ? 'was ended by the mesh' : `was answered ${decision.status} by the mesh`;
  const reason = decision.message === '' ? decision.details : `${decision.message} (${decision.code})`;
  return `${request}${caller} ${answer} after ${decision.durationMs} ms${reason === '' ? '' : `: ${reason}`}.`;
}

function whoWasAsked(decision: Decision): string {
  if (decision.cluster === '') return '';
  const tries = decision.attempts === 1 ? '1 try' : `${decision.attempts} tries`;
  const host = decision.host === '' ? 'no endpoint was picked' : `${tries}, the last at ${decision.host}`;
  return `It was routed to ${decision.cluster}; ${host}.`;
}

function whoDecided(decision: Decision): string {
  const origin = decision.refusal === null ? whereFrom(decision) : whoRefused(decision.refusal);
  const said = decision.said === '' ? '' : `It said: ${decision.said}.`;
  return [origin, said, detailsOf(decision)].filter((sentence) => sentence !== '').join(' ');
}

// Without a fault the details are the reason already given; a code has been told as well.
function detailsOf({ code, details }: Decision): string {
  return code === '' || details === '' || details === code ? '' : `Details: ${details}.`;
}

function whereFrom({ origin, originOf, route }: Decision): string {
  const resource = describeOrigin(origin);
  if (resource === null) return '';
  if (originOf === 'cluster') return `The cluster comes from ${resource}.`;
  if (originOf === 'listener') return `The listener stands for ${resource}.`;
  return `${route === '' ? 'The route' : `Route ${route}`} comes from ${resource}.`;
}

function whoRefused({ rule, policies }: Refusal): string {
  const names = policies.map(describeOrigin).join(', ');
  if (rule !== '') return `It was refused by ${rule} of ${names}.`;
  return names === '' ? '' : `No rule of the policies that allow something lets it in: ${names}.`;
}

function whatToDo(decision: Decision): string {
  return faultAdvice[decision.code as FaultCode] ?? '';
}
