// IP addresses between text and bytes, as strict as the system's own functions.

const decimalOctet = /^(?:0|[1-9][0-9]{0,2})$/;
const hexGroup = /^[0-9a-fA-F]{1,4}$/;

/** The four bytes, or null when it is no IPv4 address. */
export function parseIpv4(text: string): Buffer | null {
  const parts = text.split('.');
  if (parts.length !== 4) return null;
  const bytes = Buffer.alloc(4);
  for (let i = 0; i < 4; i++) {
    const part = parts[i] as string;
    const value = Number(part);
    if (!decimalOctet.test(part) || value > 255) return null;
    bytes[i] = value;
  }
  return bytes;
}

/** The sixteen bytes, or null when it is no IPv6 address. Zones are of no use to another machine and refused. */
export function parseIpv6(text: string): Buffer | null {
  const halves = text.split('::');
  if (halves.length > 2) return null;
  const head = groupsOf(halves[0] as string, halves.length === 1);
  const tail = halves.length === 1 ? [] : groupsOf(halves[1] as string, true);
  if (head === null || tail === null) return null;
  const given = head.length + tail.length;
  if (halves.length === 1 ? given !== 8 : given > 7) return null;
  const bytes = Buffer.alloc(16);
  for (let i = 0; i < head.length; i++) bytes.writeUInt16BE(head[i] as number, i * 2);
  for (let i = 0; i < tail.length; i++) bytes.writeUInt16BE(tail[i] as number, (8 - tail.length + i) * 2);
  return bytes;
}

// Only the end of an address may be written as an IPv4 one.
function groupsOf(text: string, isEnd: boolean): number[] | null {
  if (text === '') return [];
  const parts = text.split(':');
  const last = parts.at(-1) as string;
  const groups: number[] = [];
  if (isEnd && last.includes('.')) {
    const ipv4 = parseIpv4(last);
    if (ipv4 === null) return null;
    parts.pop();
    groups.push(ipv4.readUInt16BE(0), ipv4.readUInt16BE(2));
  }
  if (parts.some((part) => !hexGroup.test(part))) return null;
  return [...parts.map((part) => Number.parseInt(part, 16)), ...groups];
}

export function formatIpv4(bytes: Buffer): string {
  return bytes.join('.');
}

/** As RFC 5952 has it: the longest run of zero groups shortened, lower case. */
export function formatIpv6(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(i * 2));
  if (isMapped(groups)) return `::ffff:${formatIpv4(bytes.subarray(12, 16))}`;
  const run = longestZeroRun(groups);
  const text = (part: number[]): string => part.map((group) => group.toString(16)).join(':');
  if (run.length < 2) return text(groups);
  return `${text(groups.slice(0, run.start))}::${text(groups.slice(run.start + run.length))}`;
}

function isMapped(groups: readonly number[]): boolean {
  return groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0);
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let length = 0;
  for (let i = 0; i < groups.length; i++) {
    length = groups[i] === 0 ? length + 1 : 0;
    if (length > best.length) best = { start: i - length + 1, length };
  }
  return best;
}
