// Header names and values that rules set, add, remove or match.

import type { HeaderChanges } from '@weft/api/resource/http-route';
import { argumentProblem, formatOperators } from '@weft/lib/format-operator';
import { joinPath } from './field-path.ts';
import type { Findings } from './findings.ts';
import { meaningCodes } from './issue-code.ts';
import { didYouMean } from './near-name.ts';

const tokenPattern = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const valuePattern = /^[\t\x20-\x7e\x80-\xff]*$/;
const operatorPattern = /%%|%([A-Z0-9_]+)(?:\(([\s\S]*?)\))?(?::[0-9]+)?%/y;

/** A header field name by RFC 9110 §5.1; pseudo-headers only where they are matched, not changed. */
export function validateHeaderName(findings: Findings, path: string, name: string, isMatch: boolean): void {
  if (tokenPattern.test(name) || (isMatch && /^:(?:method|path|authority|scheme)$/.test(name))) return;
  const hint = name.startsWith(':') ? 'pseudo-headers cannot be changed; use rewrite' : 'use letters, digits and -';
  findings.add(meaningCodes.invalidHeader, path, `"${name}" is no header name; ${hint}.`);
}

/** All names and values of `headers`. */
export function validateHeaderChanges(findings: Findings, path: string, changes: HeaderChanges): void {
  for (const side of ['request', 'response'] as const) {
    const operations = changes[side];
    if (operations === undefined) continue;
    for (const verb of ['set', 'add'] as const) {
      for (const [name, value] of Object.entries(operations[verb] ?? {})) {
        const at = joinPath(`${path}.${side}.${verb}`, name);
        // Istio lets rules set the authority by this name.
        if (!(side === 'request' && name === ':authority')) validateHeaderName(findings, at, name, false);
        if (!valuePattern.test(value))
          findings.add(
            meaningCodes.invalidHeader,
            at,
            'The value has control characters or characters beyond Latin-1.',
          );
        else validateOperators(findings, at, value);
      }
    }
    for (const [index, name] of (operations.remove ?? []).entries()) {
      const at = joinPath(`${path}.${side}.remove`, index);
      validateHeaderName(findings, at, name, false);
      if (name.toLowerCase() === 'host')
        findings.add(meaningCodes.invalidHeader, at, 'Host cannot be removed; a request needs it.');
    }
  }
}

// A proxy refuses a whole route table for one operator that it does not know. Like the proxy this reads no further than a % that begins
// none, so that a long value costs time in proportion to its length.
function validateOperators(findings: Findings, path: string, value: string): void {
  for (let at = value.indexOf('%'); at >= 0 && !findings.isFull; at = value.indexOf('%', operatorPattern.lastIndex)) {
    operatorPattern.lastIndex = at;
    const [whole, name, argument = ''] = operatorPattern.exec(value) ?? [];
    if (whole === undefined) {
      const message = 'A % begins an operator such as %REQ(:PATH)%; write %% where the character itself is meant.';
      findings.add(meaningCodes.invalidHeader, path, message);
      return;
    }
    if (name !== undefined) validateOperator(findings, path, { whole, name, argument });
  }
}

function validateOperator(
  findings: Findings,
  path: string,
  { whole, name, argument }: { readonly whole: string; readonly name: string; readonly argument: string },
): void {
  const shown = whole.slice(0, 100);
  if (!formatOperators.includes(name)) {
    const hint = didYouMean(name, formatOperators);
    findings.add(meaningCodes.invalidHeader, path, `There is no operator ${shown}.${hint}`);
    return;
  }
  const problem = argumentProblem(name, argument);
  if (problem !== null)
    findings.add(meaningCodes.invalidHeader, path, `The operator ${shown} is not understood: ${problem}.`);
}
