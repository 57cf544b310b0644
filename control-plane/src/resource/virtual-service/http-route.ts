// Semantic checks of one `spec.http` rule.

import { parseDurationMs } from '@weft/api/resource/duration';
import { grpcStatusNames } from '@weft/api/resource/grpc-status';
import type {
  HttpFault,
  HttpMatch,
  HttpRedirect,
  HttpRetry,
  HttpRewrite,
  HttpRoute,
} from '@weft/api/resource/http-route';
import { joinPath } from '../field-path.ts';
import type { Findings } from '../findings.ts';
import { validateHeaderChanges, validateHeaderName } from '../header-rule.ts';
import { formCodes, meaningCodes } from '../issue-code.ts';
import { didYouMean } from '../near-name.ts';
import { regexProblem, substitutionProblem } from '../regex.ts';
import { validateStringMatch } from '../string-match.ts';
import { validateCorsPolicy } from './cors-policy.ts';
import { validateDirectResponse } from './direct-response.ts';
import { validateDestinations } from './route-destination.ts';

/** Everything that can be said about one rule without looking at others. */
export function validateHttpRoute(findings: Findings, path: string, route: HttpRoute): void {
  for (const [index, match] of (route.match ?? []).entries()) {
    validateMatch(findings, joinPath(`${path}.match`, index), match);
  }
  validateAction(findings, path, route);
  if (route.route !== undefined) {
    validateDestinations(findings, `${path}.route`, route.route);
    for (const [index, each] of route.route.entries()) {
      if (each.headers !== undefined) validateHeaderChanges(findings, `${path}.route[${index}].headers`, each.headers);
    }
  }
  if (route.headers !== undefined) validateHeaderChanges(findings, `${path}.headers`, route.headers);
  if (route.redirect !== undefined) validateRedirect(findings, `${path}.redirect`, route.redirect);
  if (route.rewrite !== undefined) validateRewrite(findings, `${path}.rewrite`, route.rewrite);
  if (route.retries !== undefined) validateRetry(findings, `${path}.retries`, route.retries);
  if (route.corsPolicy !== undefined) validateCorsPolicy(findings, `${path}.corsPolicy`, route.corsPolicy);
  if (route.fault !== undefined) validateFault(findings, `${path}.fault`, route.fault);
  if (route.directResponse !== undefined)
    validateDirectResponse(findings, `${path}.directResponse`, route.directResponse);
}

function validateMatch(findings: Findings, path: string, match: HttpMatch): void {
  for (const field of ['uri', 'scheme', 'method', 'authority'] as const) {
    const value = match[field];
    if (value === undefined) continue;
    validateStringMatch(findings, `${path}.${field}`, value);
    if (Object.keys(value).length === 0) {
      findings.add(
        meaningCodes.emptyRule,
        `${path}.${field}`,
        'This match is empty; set exact, prefix or regex, or leave it out.',
      );
    }
  }
  for (const field of ['headers', 'withoutHeaders', 'queryParams'] as const) {
    for (const [name, value] of Object.entries(match[field] ?? {})) {
      const at = joinPath(`${path}.${field}`, name);
      validateStringMatch(findings, at, value);
      if (name === '') findings.add(meaningCodes.invalidName, at, 'The name is empty.');
      else if (field !== 'queryParams') validateHeaderName(findings, at, name, true);
    }
  }
}

function validateAction(findings: Findings, path: string, route: HttpRoute): void {
  const actions = (['route', 'redirect', 'directResponse'] as const).filter((name) => {
    const value = route[name];
    return Array.isArray(value) ? value.length > 0 : value !== undefined;
  });
  if (actions.length === 0 && route.delegate === undefined) {
    findings.add(
      meaningCodes.emptyRule,
      path,
      'This rule says where nothing goes; add route, redirect or directResponse.',
    );
  }
  if (actions.length > 1) {
    findings.add(
      meaningCodes.conflictingFields,
      path,
      `A rule has one of route, redirect and directResponse; this one has ${actions.join(' and ')}.`,
    );
  }
  if (!actions.includes('redirect') && !actions.includes('directResponse')) return;
  for (const field of ['rewrite', 'retries'] as const) {
    if (route[field] === undefined) continue;
    findings.add(
      meaningCodes.conflictingFields,
      `${path}.${field}`,
      `${field} has no meaning in a rule that sends no request on; remove it.`,
    );
  }
}

const redirectCodes = [301, 302, 303, 307, 308];

function validateRedirect(findings: Findings, path: string, redirect: HttpRedirect): void {
  if (
    redirect.redirectCode !== undefined &&
    redirect.redirectCode !== 0 &&
    !redirectCodes.includes(redirect.redirectCode)
  ) {
    findings.add(
      meaningCodes.invalidRedirect,
      `${path}.redirectCode`,
      `${redirect.redirectCode} is no redirect; use ${redirectCodes.join(', ')}.`,
    );
  }
  if (redirect.port !== undefined && redirect.derivePort !== undefined) {
    findings.add(meaningCodes.conflictingFields, path, 'Only one of port and derivePort can be set.');
  }
  if (redirect.uri !== undefined && redirect.prefixRewrite !== undefined) {
    findings.add(meaningCodes.conflictingFields, path, 'Only one of uri and prefixRewrite can be set.');
  }
  if (redirect.scheme !== undefined && !['http', 'https'].includes(redirect.scheme)) {
    findings.add(
      meaningCodes.invalidRedirect,
      `${path}.scheme`,
      `The scheme "${redirect.scheme}" is neither http nor https.`,
    );
  }
  validateUrlText(findings, `${path}.uri`, redirect.uri);
  validateUrlText(findings, `${path}.prefixRewrite`, redirect.prefixRewrite);
  validateAuthority(findings, `${path}.authority`, redirect.authority);
  const { redirectCode: _, ...changes } = redirect;
  if (Object.values(changes).every((value) => value === undefined)) {
    findings.add(
      meaningCodes.invalidRedirect,
      path,
      'The redirect changes nothing and would loop; set uri, authority, scheme or port.',
    );
  }
}

function validateRewrite(findings: Findings, path: string, rewrite: HttpRewrite): void {
  if (rewrite.uri !== undefined && rewrite.uriRegexRewrite !== undefined) {
    findings.add(meaningCodes.conflictingFields, path, 'Only one of uri and uriRegexRewrite can be set.');
  }
  if (rewrite.uri === undefined && rewrite.authority === undefined && rewrite.uriRegexRewrite === undefined) {
    findings.add(meaningCodes.emptyRule, path, 'The rewrite changes nothing; set uri, authority or uriRegexRewrite.');
  }
  validateUrlText(findings, `${path}.uri`, rewrite.uri);
  validateAuthority(findings, `${path}.authority`, rewrite.authority);
  const regex = rewrite.uriRegexRewrite;
  if (regex === undefined) return;
  const problem = regexProblem(regex.match ?? '', findings.patterns);
  if (problem !== null) {
    findings.add(
      meaningCodes.invalidRegex,
      `${path}.uriRegexRewrite.match`,
      `The regular expression (RE2) is refused: ${problem}.`,
    );
    return;
  }
  const wrong = substitutionProblem(regex.match ?? '', regex.rewrite ?? '');
  if (wrong === null) return;
  findings.add(meaningCodes.invalidRegex, `${path}.uriRegexRewrite.rewrite`, `The replacement is refused: ${wrong}.`);
}

/** Of a path, or a part of one, that proxies write into a URL as it is. */
function validateUrlText(findings: Findings, path: string, text: string | undefined): void {
  if (text === undefined || !/[\0-\x20\x7f]/.test(text)) return;
  findings.add(formCodes.invalidValue, path, 'The text holds spaces or control characters; remove them, or write %20.');
}

function validateAuthority(findings: Findings, path: string, text: string | undefined): void {
  if (text === undefined || !/[\0-\x20\x7f/?#]/.test(text)) return;
  findings.add(
    meaningCodes.invalidHost,
    path,
    `${JSON.stringify(text)} is no host; write a name, with a port if need be.`,
  );
}

/** Conditions of Envoy, HTTP and gRPC, and Istio's own. */
const retryConditions = [
  '5xx',
  'gateway-error',
  'reset',
  'reset-before-request',
  'connect-failure',
  'envoy-ratelimited',
  'retriable-4xx',
  'refused-stream',
  'retriable-status-codes',
  'retriable-headers',
  'http3-post-connect-failure',
  'cancelled',
  'deadline-exceeded',
  'internal',
  'resource-exhausted',
  'unavailable',
];

/** What Istio refuses beside `attempts: 0`; more would refuse what works there. */
const retrySettings = ['perTryTimeout', 'retryOn', 'retryRemoteLocalities'] as const;

function validateRetry(findings: Findings, path: string, retry: HttpRetry): void {
  const { attempts, ...rest } = retry;
  const others = attempts === undefined ? Object.keys(rest) : retrySettings.filter((name) => rest[name] !== undefined);
  if ((attempts ?? 0) === 0 && others.length > 0) {
    const cause = attempts === undefined ? 'Without attempts there are no retries' : 'attempts 0 turns retries off';
    const message = `${cause}, so ${others.join(' and ')} can have no effect; give attempts, or remove the rest.`;
    findings.add(meaningCodes.conflictingFields, path, message);
  }
  if (retry.backoff !== undefined && parseDurationMs(retry.backoff) === 0) {
    findings.add(meaningCodes.zeroDuration, `${path}.backoff`, 'The back-off needs at least 1ms.');
  }
  for (const raw of (retry.retryOn ?? '').split(',')) {
    if (findings.isFull) return;
    const condition = raw.trim();
    if (condition === '' || retryConditions.includes(condition) || /^[1-5]\d\d$/.test(condition)) continue;
    const hint = didYouMean(condition, retryConditions);
    findings.add(meaningCodes.invalidRetryOn, `${path}.retryOn`, `There is no retry condition "${condition}".${hint}`);
  }
}

function validateFault(findings: Findings, path: string, fault: HttpFault): void {
  if (fault.delay === undefined && fault.abort === undefined) {
    findings.add(meaningCodes.emptyRule, path, 'The fault has neither delay nor abort, so it does nothing.');
  }
  const { delay, abort } = fault;
  for (const [name, part] of Object.entries({ delay, abort })) {
    if (part === undefined || part.percentage !== undefined || part.percent !== undefined) continue;
    findings.add(
      meaningCodes.faultWithoutShare,
      `${path}.${name}`,
      `The ${name} has no percentage, so no request gets it.`,
    );
  }
  if (delay !== undefined) {
    if (delay.fixedDelay === undefined && delay.exponentialDelay === undefined) {
      findings.add(meaningCodes.emptyRule, `${path}.delay`, 'The delay has no fixedDelay, so it does nothing.');
    }
    if (delay.fixedDelay !== undefined && parseDurationMs(delay.fixedDelay) === 0) {
      findings.add(meaningCodes.zeroDuration, `${path}.delay.fixedDelay`, 'The delay needs at least 1ms.');
    }
  }
  if (abort === undefined) return;
  const errors = (['httpStatus', 'grpcStatus', 'http2Error'] as const).filter((name) => abort[name] !== undefined);
  if (errors.length === 0)
    findings.add(meaningCodes.emptyRule, `${path}.abort`, 'The abort has no httpStatus or grpcStatus to answer with.');
  if (errors.length > 1)
    findings.add(meaningCodes.conflictingFields, `${path}.abort`, `Only one of ${errors.join(' and ')} can be set.`);
  if (
    abort.grpcStatus !== undefined &&
    !grpcStatusNames.includes(abort.grpcStatus) &&
    !/^(?:\d|1[0-6])$/.test(abort.grpcStatus)
  ) {
    const message = `There is no gRPC status "${abort.grpcStatus}".${didYouMean(abort.grpcStatus, grpcStatusNames)}`;
    findings.add(meaningCodes.invalidName, `${path}.abort.grpcStatus`, message);
  }
}
