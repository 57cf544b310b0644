// What became of a case, as lines that can be compared: `<` what the client got, `>` what the upstream got, `log` the access log.

/** What both proxies say in words of their own, or what differs from run to run. */
const notCompared: ReadonlySet<string> = new Set([
  'date',
  'server',
  'x-envoy-upstream-service-time',
  'x-weft-decision',
]);

/** Details with the same meaning in both; the others are each proxy's own words. */
const sharedDetails: ReadonlySet<string> = new Set(['via_upstream', 'route_not_found', 'direct_response']);

export type Fields = readonly (readonly [name: string, value: string])[];

/** The fields in a canonical order, those of one name in the order they came. */
export function fieldLines(prefix: string, fields: Fields): string[] {
  const kept = fields
    .map(([name, value]) => [name.toLowerCase(), value] as const)
    .filter(([name]) => !notCompared.has(name));
  kept.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return kept.map(([name, value]) => `${prefix}   ${name}: ${valueText(name, value)}`);
}

function valueText(name: string, value: string): string {
  if (name === 'sec-websocket-key' && /^[A-Za-z0-9+/]{22}==$/.test(value)) return '<made>';
  if (name === 'x-request-id' && /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/.test(value)) return '<made>';
  return shortText(value);
}

/** Text as one readable line; long runs are named by their length. */
export function shortText(text: string): string {
  const plain = text.replace(/[^\x20-\x7e]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`);
  return plain.length <= 120 ? plain : `${plain.slice(0, 60)}… (${text.length} bytes)`;
}

export function bodyLine(prefix: string, body: Buffer): string[] {
  return body.length === 0 ? [] : [`${prefix}   body ${body.length}: ${shortText(body.toString('latin1'))}`];
}

/** A line of the access log without its port. */
export function logLine(code: string, flags: string, details: string): string {
  return `log ${code} ${flags}${sharedDetails.has(details) ? ` ${details}` : ''}`;
}

/** The lines that only one of two outcomes has, counted. */
export function difference(
  one: readonly string[],
  other: readonly string[],
): { onlyOne: string[]; onlyOther: string[] } {
  const left = [...other];
  const onlyOne = one.filter((line) => {
    const at = left.indexOf(line);
    if (at < 0) return true;
    left.splice(at, 1);
    return false;
  });
  return { onlyOne, onlyOther: left };
}
