// Semantic checks of one AuthorizationPolicy.

import type {
  AuthorizationCondition,
  AuthorizationOperation,
  AuthorizationPolicy,
  AuthorizationRule,
  AuthorizationSource,
} from '@weft/api/resource/authorization-policy';
import { isAddressOrRange } from '../address.ts';
import { joinPath } from '../field-path.ts';
import type { Findings } from '../findings.ts';
import { formCodes, meaningCodes } from '../issue-code.ts';
import { didYouMean } from '../near-name.ts';

/** Everything that can be said about an AuthorizationPolicy seen alone. */
export function validateAuthorizationPolicy(resource: AuthorizationPolicy, findings: Findings): void {
  const { spec } = resource;
  if (spec === undefined) return;
  const targets = (['selector', 'targetRef', 'targetRefs'] as const).filter((name) => spec[name] !== undefined);
  if (targets.length > 1)
    findings.add(meaningCodes.conflictingFields, 'spec', `Only one of ${targets.join(', ')} can be set.`);
  if (spec.action === 'DENY' && (spec.rules ?? []).length === 0) {
    findings.add(
      meaningCodes.emptyRule,
      'spec.rules',
      'A DENY policy without rules denies nothing; add a rule, {} to deny all.',
    );
  }
  for (const [index, rule] of (spec.rules ?? []).entries()) validateRule(findings, `spec.rules[${index}]`, rule);
}

function validateRule(findings: Findings, path: string, rule: AuthorizationRule): void {
  for (const field of ['from', 'to', 'when'] as const) {
    if (rule[field]?.length === 0)
      findings.add(meaningCodes.emptyRule, `${path}.${field}`, `${field} is empty; leave it out to take everything.`);
  }
  for (const [index, { source }] of (rule.from ?? []).entries())
    validateSource(findings, `${path}.from[${index}].source`, source);
  for (const [index, { operation }] of (rule.to ?? []).entries())
    validateOperation(findings, `${path}.to[${index}].operation`, operation);
  for (const [index, condition] of (rule.when ?? []).entries())
    validateCondition(findings, `${path}.when[${index}]`, condition);
}

/** Reports fields that are set and empty, and a mapping in which nothing is set. */
function validateLists(findings: Findings, path: string, lists: object | undefined): void {
  const entries = Object.entries(lists ?? {}).filter(([, list]) => list !== undefined);
  if (entries.length === 0)
    findings.add(meaningCodes.emptyRule, path, 'Nothing is set here; leave it out to take everything.');
  for (const [name, list] of entries) {
    const at = joinPath(path, name);
    if (!Array.isArray(list)) continue;
    if (list.length === 0) findings.add(meaningCodes.emptyRule, at, `${name} is empty; leave it out, or name a value.`);
    for (const [index, value] of list.entries()) {
      if (value === '') findings.add(meaningCodes.emptyRule, `${at}[${index}]`, 'The value is empty.');
    }
  }
}

function validateSource(findings: Findings, path: string, source: AuthorizationSource | undefined): void {
  validateLists(findings, path, source);
  if (source === undefined) return;
  const accounts = (source.serviceAccounts ?? source.notServiceAccounts) !== undefined;
  if (
    accounts &&
    (source.principals ?? source.notPrincipals ?? source.namespaces ?? source.notNamespaces) !== undefined
  ) {
    findings.add(
      meaningCodes.conflictingFields,
      path,
      'serviceAccounts stands alone; it says namespace and principal itself.',
    );
  }
  for (const field of ['ipBlocks', 'notIpBlocks', 'remoteIpBlocks', 'notRemoteIpBlocks'] as const) {
    for (const [index, block] of (source[field] ?? []).entries()) {
      if (isAddressOrRange(block)) continue;
      findings.add(meaningCodes.invalidAddress, `${path}.${field}[${index}]`, `"${block}" is no address or range.`);
    }
  }
  for (const field of ['principals', 'notPrincipals'] as const) {
    for (const [index, principal] of (source[field] ?? []).entries())
      validatePrincipal(findings, `${path}.${field}[${index}]`, principal);
  }
  checkContradiction(findings, path, source);
}

function validatePrincipal(findings: Findings, path: string, principal: string): void {
  if (principal.startsWith('spiffe://')) {
    findings.add(meaningCodes.invalidPrincipal, path, `Leave spiffe:// out: ${principal.slice('spiffe://'.length)}.`);
    return;
  }
  if (principal.includes('*', 1) && principal.indexOf('*', 1) !== principal.length - 1) {
    findings.add(meaningCodes.invalidPrincipal, path, 'A * stands at the beginning or at the end only.');
    return;
  }
  if (principal.includes('*') || /^[^/]+\/ns\/[^/]+\/sa\/[^/]+$/.test(principal)) return;
  const message = `"${principal}" is not of the form trust-domain/ns/namespace/sa/account, such as cluster.local/ns/default/sa/productpage, so it fits nobody.`;
  findings.add(meaningCodes.invalidPrincipal, path, message);
}

function validateOperation(findings: Findings, path: string, operation: AuthorizationOperation | undefined): void {
  validateLists(findings, path, operation);
  if (operation === undefined) return;
  for (const field of ['ports', 'notPorts'] as const) {
    for (const [index, port] of (operation[field] ?? []).entries()) {
      if (/^[1-9]\d{0,4}$/.test(port) && Number(port) <= 65535) continue;
      findings.add(meaningCodes.invalidName, `${path}.${field}[${index}]`, `"${port}" is no port number.`);
    }
  }
  for (const field of ['methods', 'notMethods'] as const) {
    for (const [index, method] of (operation[field] ?? []).entries()) {
      if (method === method.toUpperCase() || method.includes('*') || method.startsWith('/')) continue;
      findings.add(
        meaningCodes.neverMatches,
        `${path}.${field}[${index}]`,
        `Methods are upper case: write ${method.toUpperCase()}.`,
      );
    }
  }
  for (const field of ['paths', 'notPaths'] as const) {
    for (const [index, text] of (operation[field] ?? []).entries())
      validatePath(findings, `${path}.${field}[${index}]`, text);
  }
  checkContradiction(findings, path, operation);
}

/** Templates take whole segments, and none follows the one for any number of them. Anything else in braces would fit nothing. */
function isTemplate(text: string): boolean {
  const segments = text.split('/');
  const isWhole = segments.every((segment) => segment === '{*}' || segment === '{**}' || !/[{}*]/.test(segment));
  return isWhole && !/\{\*\*\}.*\{/.test(text);
}

function validatePath(findings: Findings, path: string, text: string): void {
  if (/[{}]/.test(text) && !isTemplate(text)) {
    const message = `"${text}" is no template; {*} stands for one whole segment, {**} for any number of them.`;
    findings.add(formCodes.invalidValue, path, message);
    return;
  }
  if (text.includes('?') || text.includes('#')) {
    findings.add(meaningCodes.neverMatches, path, 'Paths are compared without their query, so ? and # never match.');
  } else if (!text.startsWith('/') && !text.startsWith('*') && !text.startsWith('{')) {
    findings.add(meaningCodes.neverMatches, path, `A path begins with a slash: write /${text}.`);
  }
}

/** A value that is both wanted and excluded leaves nothing. */
function checkContradiction(
  findings: Findings,
  path: string,
  lists: AuthorizationSource | AuthorizationOperation,
): void {
  const byName = new Map(Object.entries(lists));
  for (const [name, values] of byName) {
    const excluded = byName.get(`not${name.charAt(0).toUpperCase()}${name.slice(1)}`);
    if (name.startsWith('not') || values === undefined || excluded === undefined || values.length === 0) continue;
    const without = new Set(excluded);
    if (!without.has('*') && !values.every((value) => without.has(value))) continue;
    findings.add(
      meaningCodes.neverMatches,
      joinPath(path, name),
      `Every value of ${name} is excluded again, so the rule never matches.`,
    );
  }
}

/** Attributes of Istio; those that end in brackets take a name. */
const attributes = [
  'request.headers[',
  'source.ip',
  'remote.ip',
  'source.namespace',
  'source.principal',
  'source.serviceAccount',
  'request.auth.principal',
  'request.auth.audiences',
  'request.auth.presenter',
  'request.auth.claims[',
  'destination.ip',
  'destination.port',
  'connection.sni',
  'experimental.envoy.filters.',
];

function validateCondition(findings: Findings, path: string, condition: AuthorizationCondition): void {
  const { key, values = [], notValues = [] } = condition;
  const isKnown = attributes.some((name) => (/[[.]$/.test(name) ? key.startsWith(name) : key === name));
  if (!isKnown || (key.includes('[') && !/\[[^\]]+\](?:\[[^\]]+\])*$/.test(key))) {
    const hint = didYouMean(
      key,
      attributes.map((name) => name.replace('[', '[name]')),
    );
    findings.add(meaningCodes.unknownCondition, `${path}.key`, `There is no attribute ${key}.${hint}`);
  }
  if (values.length === 0 && notValues.length === 0)
    findings.add(meaningCodes.emptyRule, path, 'The condition has neither values nor notValues.');
  const excluded = new Set(notValues);
  if (values.length > 0 && values.every((value) => excluded.has(value))) {
    findings.add(
      meaningCodes.neverMatches,
      path,
      'Every value is excluded again by notValues, so the rule never matches.',
    );
  }
  validateConditionValues(findings, path, condition);
}

function validateConditionValues(findings: Findings, path: string, condition: AuthorizationCondition): void {
  for (const field of ['values', 'notValues'] as const) {
    for (const [index, value] of (condition[field] ?? []).entries()) {
      const at = `${path}.${field}[${index}]`;
      if (['source.ip', 'remote.ip', 'destination.ip'].includes(condition.key) && !isAddressOrRange(value)) {
        findings.add(meaningCodes.invalidAddress, at, `"${value}" is no address or range.`);
      }
      if (condition.key === 'destination.port' && !(/^[1-9]\d{0,4}$/.test(value) && Number(value) <= 65535)) {
        findings.add(meaningCodes.invalidName, at, `"${value}" is no port number.`);
      }
      if (condition.key === 'source.principal') validatePrincipal(findings, at, value);
    }
  }
}
