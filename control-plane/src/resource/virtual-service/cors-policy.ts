// Semantic checks of a rule's `corsPolicy`.

import type { HttpRoute } from '@weft/api/resource/http-route';
import { joinPath } from '../field-path.ts';
import type { Findings } from '../findings.ts';
import { validateHeaderName } from '../header-rule.ts';
import { meaningCodes } from '../issue-code.ts';
import { matchesAnything, validateStringMatch } from '../string-match.ts';

type CorsPolicy = NonNullable<HttpRoute['corsPolicy']>;

/** Origins that allow nobody, methods and headers that are none, and the older field. */
export function validateCorsPolicy(findings: Findings, path: string, policy: CorsPolicy): void {
  validateOrigins(findings, path, policy);
  if (policy.allowCredentials === true && allowsAnyone(policy)) {
    const message = 'Any site may call in the name of whoever visits it; list the origins that may.';
    findings.add(meaningCodes.openCredentials, `${path}.allowCredentials`, message);
  }
  for (const [index, method] of (policy.allowMethods ?? []).entries()) {
    if (method === '*' || /^[A-Za-z]+$/.test(method)) continue;
    findings.add(meaningCodes.invalidName, `${path}.allowMethods[${index}]`, `"${method}" is no HTTP method.`);
  }
  for (const field of ['allowHeaders', 'exposeHeaders'] as const) {
    for (const [index, name] of (policy[field] ?? []).entries()) {
      if (name !== '*') validateHeaderName(findings, `${path}.${field}[${index}]`, name, false);
    }
  }
}

function allowsAnyone({ allowOrigins = [], allowOrigin = [] }: CorsPolicy): boolean {
  return allowOrigin.includes('*') || allowOrigins.some((match) => match.exact === '*' || matchesAnything(match));
}

function validateOrigins(findings: Findings, path: string, policy: CorsPolicy): void {
  const { allowOrigins, allowOrigin } = policy;
  if (allowOrigins !== undefined && allowOrigin !== undefined) {
    findings.add(meaningCodes.conflictingFields, path, 'Only one of allowOrigins and allowOrigin can be set.');
  }
  if ((allowOrigins ?? allowOrigin ?? []).length === 0) {
    findings.add(meaningCodes.emptyRule, path, 'The policy allows no origin, so it does nothing; set allowOrigins.');
  }
  for (const [index, match] of (allowOrigins ?? []).entries()) {
    const at = joinPath(`${path}.allowOrigins`, index);
    validateStringMatch(findings, at, match);
    if (Object.keys(match).length > 0) continue;
    findings.add(meaningCodes.emptyRule, at, 'This match is empty; set exact, prefix or regex.');
  }
}
