// Decides whether a peer's certificate is the one that was asked for: by its alternative names, its hash or its key.

import type { envoy } from '@weft/api/xds/types';
import {
  type CertificateFacts,
  certificateHash,
  publicKeyHash,
  type SubjectAltNames,
} from '@weft/lib/x509/certificate';
import { type IssueSink, reportError, sinkAt } from './data-source.ts';
import { compileStringMatcher, type TextPredicate } from './string-matcher.ts';

type ValidationContext = envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext;
type TypedMatcher = envoy.extensions.transport_sockets.tls.v3.SubjectAltNameMatcher;

/** Which names of the certificate a matcher looks at. `any` is the deprecated untyped form. */
type NameKind = keyof SubjectAltNames | 'any';

/** One accepted name; a certificate passes when any matcher accepts any of its names. */
export interface SanMatcher {
  readonly kind: NameKind;
  readonly matches: TextPredicate;
}

const nameKinds: Readonly<Record<string, NameKind>> = {
  EMAIL: 'emails',
  DNS: 'dnsNames',
  URI: 'uris',
  IP_ADDRESS: 'ipAddresses',
};

/** All matchers of a validation context. Empty means that every name passes. */
export function compileSanMatchers(context: ValidationContext, sink: IssueSink): SanMatcher[] {
  const matchers: SanMatcher[] = [];
  for (const [i, typed] of (context.matchTypedSubjectAltNames ?? []).entries()) {
    const matcher = compileTyped(typed, sinkAt(sink, `match_typed_subject_alt_names[${i}]`));
    if (matcher !== null) matchers.push(matcher);
  }
  for (const [i, config] of (context.matchSubjectAltNames ?? []).entries()) {
    const matches = compileStringMatcher(config, sinkAt(sink, `match_subject_alt_names[${i}]`));
    if (matches === null) continue;
    matchers.push({ kind: 'any', matches });
    if (config.exact !== undefined) matchers.push({ kind: 'dnsNames', matches: coveredBy(config.exact) });
  }
  return matchers;
}

function compileTyped(typed: TypedMatcher, sink: IssueSink): SanMatcher | null {
  const kind = nameKinds[String(typed.sanType)];
  if (kind === undefined) {
    const problem = `san_type ${typed.sanType ?? 'is missing'}; use URI, DNS, EMAIL or IP_ADDRESS`;
    return reportError(sinkAt(sink, 'san_type'), 'WEFT0722', problem);
  }
  const matcherSink = sinkAt(sink, 'matcher');
  if (typed.matcher === undefined) return reportError(matcherSink, 'WEFT0720', 'the matcher is missing');
  const matches = compileStringMatcher(typed.matcher, matcherSink);
  if (matches === null) return null;
  const { exact } = typed.matcher;
  if (kind !== 'dnsNames' || exact === undefined) return { kind, matches };
  const covers = coveredBy(exact);
  return { kind, matches: (name) => matches(name) || covers(name) };
}

/** As Envoy's, an exact matcher also accepts a certificate's DNS name in other letters, or a wildcard that covers it. */
function coveredBy(exact: string): TextPredicate {
  const host = exact.toLowerCase();
  return (name) => matchesDnsName(name, host);
}

/** Whether a certificate's DNS name, perhaps `*.example.com`, covers the lower-case host. A wildcard covers one label. */
export function matchesDnsName(name: string, host: string): boolean {
  const lower = name.toLowerCase();
  if (!lower.startsWith('*.')) return lower === host;
  const dot = host.indexOf('.');
  return dot > 0 && host.slice(dot) === lower.slice(1);
}

/** Whether any matcher accepts any name. */
export function matchesAnyName(matchers: readonly SanMatcher[], names: SubjectAltNames): boolean {
  return matchers.some(({ kind, matches }) => {
    if (kind !== 'any') return names[kind].some(matches);
    return [names.uris, names.dnsNames, names.ipAddresses, names.emails].some((list) => list.some(matches));
  });
}

/** Accepted leaf certificates by SHA-256 of the certificate (lower-case hex) and of the public key (base64). */
export interface Pins {
  readonly certificates: readonly string[];
  readonly publicKeys: readonly string[];
}

/** Hashes may be written with or without colons, in either case. */
export function compilePins(context: ValidationContext, sink: IssueSink): Pins {
  const certificates: string[] = [];
  for (const [i, text] of (context.verifyCertificateHash ?? []).entries()) {
    const hash = text.replaceAll(':', '').toLowerCase();
    if (/^[0-9a-f]{64}$/.test(hash)) certificates.push(hash);
    else reportError(sinkAt(sink, `verify_certificate_hash[${i}]`), 'WEFT0723', 'not a SHA-256 hash in hex');
  }
  const publicKeys: string[] = [];
  for (const [i, text] of (context.verifyCertificateSpki ?? []).entries()) {
    if (/^[A-Za-z0-9+/]{43}=$/.test(text)) publicKeys.push(text);
    else reportError(sinkAt(sink, `verify_certificate_spki[${i}]`), 'WEFT0723', 'not a SHA-256 hash in base64');
  }
  return { certificates, publicKeys };
}

/** Without pins everything passes; with any, one of either kind must fit. */
export function matchesPins(pins: Pins, facts: CertificateFacts): boolean {
  if (pins.certificates.length === 0 && pins.publicKeys.length === 0) return true;
  return (
    (pins.certificates.length > 0 && pins.certificates.includes(certificateHash(facts.der))) ||
    (pins.publicKeys.length > 0 && pins.publicKeys.includes(publicKeyHash(facts)))
  );
}
