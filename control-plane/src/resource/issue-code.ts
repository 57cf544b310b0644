// Every finding that resources can cause: permanent code, level and explanation. docs/issues.md is made from this table.

import type { IssueLevel } from '@weft/lib/issue';

/** One kind of finding. A code is never reused; the text explains it where a message has no room. */
export interface IssueCode {
  readonly code: string;
  readonly level: IssueLevel;
  readonly title: string;
  readonly text: string;
}

function code(number: string, level: IssueLevel, title: string, text: string): IssueCode {
  return { code: `WEFT${number}`, level, title, text };
}

/** Findings about files and about the form of a resource: it is refused, or its last good version stays. */
export const formCodes = {
  unreadableFile: code(
    '0400',
    'error',
    'File cannot be read',
    'The file or directory exists but the system does not let Weft read it. What was read from it before stays in effect.',
  ),
  invalidYaml: code(
    '0401',
    'error',
    'YAML or JSON is broken',
    'The text cannot be parsed. No resource of the file changes; the last good ones stay in effect until it parses again.',
  ),
  fileTooLarge: code('0402', 'error', 'File is too large', 'A file of resources may have 8 MiB. Split it.'),
  tooManyNodes: code(
    '0403',
    'error',
    'Document grows too large',
    'Anchors and aliases blow the document up, it is nested more than 64 levels deep, or the file has more than 10,000 documents. Write the values out, or split the file.',
  ),
  notAResource: code('0404', 'error', 'Document is no resource', 'Every document needs apiVersion and kind.'),
  unknownKind: code(
    '0405',
    'error',
    'Kind is unknown',
    'Weft has no such kind. Other resources of the same file are used.',
  ),
  unknownVersion: code('0406', 'error', 'Version is not served', 'The kind exists, but not in this version.'),
  unknownField: code(
    '0407',
    'error',
    'Field is unknown',
    'The kind has no such field. Often it is misspelled or indented one level too far.',
  ),
  wrongType: code(
    '0408',
    'error',
    'Value has the wrong type',
    'A list where a mapping is wanted, a number where text is wanted, and so on. Quote a number that is meant as text.',
  ),
  missingField: code('0409', 'error', 'Field is missing', 'The kind does not work without this field.'),
  invalidValue: code(
    '0410',
    'error',
    'Value is invalid',
    'The type is right, but the value is not one that the field takes.',
  ),
  missingName: code(
    '0411',
    'error',
    'Resource has no name',
    'metadata.name is needed; generateName works only when a client creates the resource through the API.',
  ),
  duplicateResource: code(
    '0412',
    'error',
    'Resource is declared twice',
    'Two documents declare the same kind, namespace and name. The one that is in use stays; at the start that is the first in order of file name and line.',
  ),
  namespaceIgnored: code('0413', 'warning', 'Namespace has no effect', 'The kind is not namespaced.'),
  notCarriedOut: code(
    '0415',
    'error',
    'Field is not carried out yet',
    'Istio has this field; Weft does not carry it out yet. It is refused because ignoring it would change what happens to traffic.',
  ),
  noEffect: code(
    '0416',
    'warning',
    'Field has no effect',
    'The field is accepted and does nothing in Weft; leaving it out changes nothing for traffic.',
  ),
  deprecatedField: code('0417', 'warning', 'Field is deprecated', 'The field works, but there is a newer one.'),
  missingDirectory: code(
    '0418',
    'error',
    'Directory is missing',
    'The directory of resources does not exist, or is none. What was read from it before stays in effect, and it is looked for again.',
  ),
  tooManyFiles: code(
    '0419',
    'error',
    'Directory holds too many files',
    'At most 10,000 files of resources are read from one directory.',
  ),
  notUtf8: code(
    '0420',
    'error',
    'Text is not UTF-8',
    'The file holds bytes that are no text in UTF-8. No resource of the file changes; save it as UTF-8.',
  ),
  emptyFile: code(
    '0421',
    'warning',
    'File is empty',
    'A file from which resources were read has no text any more, as after a full disk or a crash. Its resources stay in effect; remove the file, or leave a comment in it, to remove them.',
  ),
  keptUndeclared: code(
    '0422',
    'warning',
    'Resource stays though it is no longer declared',
    'A document of the file has errors, and it cannot be told which resource it is: it may be this one with a slip in its kind or name. The resource stays in effect until the errors of the file are mended.',
  ),
  tooManyFindings: code(
    '0423',
    'error',
    'More findings than are listed',
    'A resource or a file has so much wrong with it that only the first findings are told. Mend them; the others follow.',
  ),
} as const satisfies Record<string, IssueCode>;

/** Findings about what one resource says, seen alone. */
export const meaningCodes = {
  conflictingFields: code('0430', 'error', 'Fields exclude each other', 'Only one of these fields may be set.'),
  emptyRule: code(
    '0431',
    'error',
    'Rule does nothing',
    'A route needs a destination, a redirect, a direct response; a VirtualService needs routes; a fault needs a delay or an abort.',
  ),
  invalidHost: code(
    '0432',
    'error',
    'Host is invalid',
    'A host is a DNS name, or a wildcard * or *.suffix where the field takes one, or an IP address where the field takes one.',
  ),
  invalidRegex: code(
    '0433',
    'error',
    'Regular expression is invalid',
    'Regular expressions use RE2 syntax: no look-around and no back references.',
  ),
  invalidHeader: code(
    '0434',
    'error',
    'Header is invalid',
    'A header name has token characters only; a value has no control characters; pseudo-headers and Host cannot be changed by header rules.',
  ),
  invalidAddress: code(
    '0435',
    'error',
    'Address is invalid',
    'An IPv4 or IPv6 address, a range in CIDR notation, a host name or a unix:// path is wanted, as the field says.',
  ),
  zeroDuration: code('0436', 'error', 'Duration is too short', 'The field needs at least one millisecond.'),
  weightSum: code(
    '0437',
    'warning',
    'Weights do not sum to 100',
    'Weights are shares of their sum, so this works; but they read as percentages.',
  ),
  faultWithoutShare: code(
    '0505',
    'warning',
    'Fault concerns no request',
    'Without a percentage a delay or an abort is for none, as in Istio; give percentage.value, 100 for all.',
  ),
  zeroWeights: code(
    '0438',
    'error',
    'All weights are zero',
    'With several destinations at least one needs a weight above zero.',
  ),
  unreachableRoute: code(
    '0439',
    'warning',
    'Route is never reached',
    'An earlier route matches every request that this one matches, so this one never gets any.',
  ),
  ineffectiveMatch: code('0440', 'warning', 'Match is never reached', 'An earlier match covers this one.'),
  duplicateName: code(
    '0441',
    'error',
    'Name is used twice',
    'Names of ports and subsets are unique within their resource.',
  ),
  invalidName: code('0442', 'error', 'Name is invalid', 'The name does not have the form that is wanted.'),
  invalidRetryOn: code(
    '0443',
    'error',
    'Retry condition is unknown',
    'retryOn is a comma-separated list of conditions and HTTP status codes.',
  ),
  invalidRedirect: code(
    '0444',
    'error',
    'Redirect is invalid',
    'A redirect has status 301, 302, 303, 307 or 308 and changes something.',
  ),
  missingCredential: code(
    '0445',
    'error',
    'TLS has no certificate',
    'This TLS mode needs a certificate and key: a credentialName or files.',
  ),
  protocolConflict: code(
    '0446',
    'error',
    'Protocol and TLS do not fit',
    'HTTPS and TLS servers need tls settings; plain HTTP servers take only httpsRedirect.',
  ),
  unknownProtocol: code('0447', 'error', 'Protocol is unknown', 'The protocol of a port is one of those listed.'),
  unnamedPort: code('0448', 'error', 'Port has no name', 'With several ports each one needs a name.'),
  invalidKeyPair: code(
    '0449',
    'error',
    'Certificate or key is invalid',
    'The secret does not hold a PEM certificate and the private key that belongs to it.',
  ),
  expiredCertificate: code(
    '0450',
    'warning',
    'Certificate is not valid now',
    'The certificate has expired or is not valid yet. Clients will refuse it.',
  ),
  unsupportedSecret: code(
    '0451',
    'warning',
    'Secret has no use here',
    'Weft uses secrets of type kubernetes.io/tls and Opaque with the keys tls.crt, tls.key, ca.crt, cert, key, cacert.',
  ),
  invalidPrincipal: code(
    '0452',
    'error',
    'Principal is invalid',
    'A principal is trust-domain/ns/namespace/sa/account, without spiffe://; * stands at the beginning or the end only.',
  ),
  neverMatches: code(
    '0453',
    'warning',
    'Rule can never match',
    'The conditions of this rule contradict each other, or nothing has what they ask for.',
  ),
  httpRuleOnTcp: code(
    '0455',
    'warning',
    'HTTP condition on a TCP port',
    'Methods, paths, hosts and headers exist in HTTP only. On TCP an ALLOW rule that asks for them never matches, a DENY rule ignores them.',
  ),
  invalidSelector: code(
    '0456',
    'error',
    'Selector is not allowed here',
    'This field needs a selector, or excludes one.',
  ),
  unknownCondition: code(
    '0457',
    'error',
    'Condition is unknown',
    'The key of a condition is one of Istio’s attributes.',
  ),
  noServerVerification: code(
    '0458',
    'warning',
    'Server certificate is not verified',
    'TLS towards this host takes any certificate, so anyone in between can read and change traffic.',
  ),
  missingAddresses: code(
    '0459',
    'warning',
    'Service entry takes every address of its port',
    'A TCP service entry without addresses matches by port alone.',
  ),
  invalidLocality: code(
    '0460',
    'error',
    'Locality is invalid',
    'A locality is region, region/zone or region/zone/subzone.',
  ),
  invalidReadiness: code(
    '0461',
    'error',
    'Readiness check is invalid',
    'A readiness check has exactly one of httpGet and tcpSocket, and a port to ask.',
  ),
  portNaming: code(
    '0462',
    'info',
    'Protocol of the port is not declared',
    'Without appProtocol or a name prefix such as http- the protocol is detected, which costs a little time on each connection.',
  ),
  openCredentials: code(
    '0861',
    'warning',
    'Any site may use the credentials of its visitors',
    'allowCredentials with an origin that fits everything lets every web site call the service with the cookies of whoever visits it.',
  ),
} as const satisfies Record<string, IssueCode>;

/** Findings about how resources fit together. They never refuse a resource, as the missing part may come later. */
export const referenceCodes = {
  missingGateway: code(
    '0480',
    'error',
    'Gateway does not exist',
    'The VirtualService names a Gateway that nobody declared, so its routes are not offered there.',
  ),
  unknownHost: code(
    '0481',
    'error',
    'No service has this host',
    'No Service or ServiceEntry has the host, so requests sent there are answered with 503.',
  ),
  unknownSubset: code(
    '0482',
    'error',
    'Subset does not exist',
    'No DestinationRule of the host declares the subset, so requests sent there are answered with 503.',
  ),
  unknownServicePort: code('0483', 'error', 'Service has no such port', 'The host exists, but not with this port.'),
  portRequired: code(
    '0484',
    'error',
    'Destination needs a port',
    'The host has several ports, so the destination has to name one.',
  ),
  foreignHost: code(
    '0485',
    'warning',
    'Host belongs to another namespace',
    'The host is a service of another namespace. For clients there, a resource of the owner wins.',
  ),
  hostConflict: code(
    '0486',
    'error',
    'Two VirtualServices claim the same host',
    'For one host and gateway only one VirtualService counts at sidecars: the oldest. At gateways the routes are joined in order of age.',
  ),
  duplicateDestinationRule: code(
    '0487',
    'warning',
    'Two DestinationRules for the same host',
    'The older one counts for traffic policy; subsets are joined, the older winning.',
  ),
  subsetWithoutEndpoints: code(
    '0488',
    'warning',
    'No workload is in this subset',
    'No workload of the service has the labels of the subset, so requests sent there are answered with 503.',
  ),
  selectorMatchesNothing: code(
    '0489',
    'warning',
    'Selector matches no workload',
    'No workload in reach has these labels, so the resource does nothing.',
  ),
  serviceWithoutEndpoints: code(
    '0490',
    'info',
    'Service has no endpoints',
    'No workload has the labels that the service selects.',
  ),
  missingSecret: code(
    '0491',
    'error',
    'Secret does not exist',
    'The credential that is named is not there, so the listener or connection cannot use TLS and stays closed.',
  ),
  unusableSecret: code(
    '0492',
    'error',
    'Secret cannot be used here',
    'The secret exists but lacks a key or certificate that this use needs.',
  ),
  unknownWorkloadPort: code(
    '0493',
    'warning',
    'No selected workload has this port',
    'The port-level setting names a port on which no selected workload listens.',
  ),
  hostNotInGateway: code(
    '0494',
    'warning',
    'Gateway does not serve this host',
    'No server of the gateway has the host, so the routes for it are not offered there.',
  ),
  gatewayConflict: code(
    '0495',
    'error',
    'Two gateways claim the same port and host',
    'For the same proxies, port and host only the first gateway, in order of age, counts.',
  ),
  gatewayPortConflict: code(
    '0496',
    'error',
    'Two gateways use one port differently',
    'For the same proxies a port has one protocol; the first gateway, in order of age, counts.',
  ),
  policyConflict: code(
    '0497',
    'warning',
    'Two policies for the same workloads',
    'Where several PeerAuthentications have the same scope, the oldest counts.',
  ),
  mtlsConflict: code(
    '0498',
    'error',
    'Plain text towards a host that demands mutual TLS',
    'The DestinationRule turns TLS off or replaces it while PeerAuthentication demands mutual TLS, so every request fails.',
  ),
  unknownNamespace: code(
    '0499',
    'info',
    'Namespace has nothing in it',
    'The namespace that is named has no workload and no resource, so the condition never holds.',
  ),
  duplicateServiceHost: code(
    '0500',
    'warning',
    'Two services have the same host',
    'A Service wins over a ServiceEntry; among ServiceEntries the oldest wins.',
  ),
  hiddenHost: code(
    '0501',
    'error',
    'Host is not exported to this namespace',
    'The service exists, but its exportTo keeps it from this namespace.',
  ),
  unusedTlsRoute: code(
    '0502',
    'error',
    'TLS routes need a TLS server',
    'A VirtualService with tls routes is bound to a gateway that has no TLS PASSTHROUGH server for its hosts.',
  ),
  duplicateCertificate: code(
    '0503',
    'info',
    'Several servers share one certificate',
    'Browsers reuse HTTP/2 connections between hosts of one certificate, which can surprise when the hosts are routed by different gateways.',
  ),
  overlaidFile: code(
    '0504',
    'warning',
    'A write lies over a file',
    'The resource stands in a file of the watched directory, and something else was written to the mesh API (weft apply, kubectl). The write is in effect; edits of the file are not, until weft delete removes the write or the two say the same.',
  ),
} as const satisfies Record<string, IssueCode>;

/** The whole table, by name. */
export const issueCodes = { ...formCodes, ...meaningCodes, ...referenceCodes } as const;
