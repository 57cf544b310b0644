// Name resolution that tells how long an answer holds. Names in /etc/hosts and `localhost` come from the system's own lookup.

import { promises as dns } from 'node:dns';
import { readFileSync, statSync } from 'node:fs';
import { isIP } from 'node:net';
import { codeOf, messageOf } from '@weft/lib/error';

export type DnsFamily = 'AUTO' | 'V4_ONLY' | 'V6_ONLY' | 'V4_PREFERRED' | 'ALL';

export interface DnsAnswer {
  readonly addresses: readonly string[];
  /** How long it may be kept, or null where nobody says. */
  readonly ttlMs: number | null;
}

/** Asks once. A name that does not exist answers with no addresses; a failure to ask rejects. */
export interface DnsResolver {
  resolve(name: string, family: DnsFamily): Promise<DnsAnswer>;
}

interface RecordWithTtl {
  readonly address: string;
  readonly ttl: number;
}

const noAnswer: DnsAnswer = { addresses: [], ttlMs: null };

export interface ResolverOptions {
  readonly hostsFile?: string;
  /** `ip:port` of name servers in place of the machine's. */
  readonly servers?: readonly string[];
  /** In place of the system's own look-up. */
  readonly lookup?: SystemLookup;
}

/** Addresses of one family by whatever the system looks names up in; rejects as `dns.lookup` does. */
export type SystemLookup = (name: string, version: 4 | 6) => Promise<readonly string[]>;

/** The name servers of the machine. */
export class SystemResolver implements DnsResolver {
  private readonly hostsFile: string;
  private readonly servers: readonly string[] | null;
  private readonly system: SystemLookup;
  private queries: dns.Resolver;
  private hostsVersion = '';
  private hostsNames: ReadonlySet<string> = new Set();

  constructor(options: ResolverOptions = {}) {
    this.hostsFile = options.hostsFile ?? '/etc/hosts';
    this.servers = options.servers ?? null;
    this.system = options.lookup ?? systemLookup;
    this.queries = this.makeQueries();
  }

  // A resolver reads the machine's list of servers once; a new one sees what has changed since.
  private makeQueries(): dns.Resolver {
    const resolver = new dns.Resolver({ timeout: 2500, tries: 2 });
    if (this.servers !== null) resolver.setServers(this.servers);
    return resolver;
  }

  async resolve(name: string, family: DnsFamily): Promise<DnsAnswer> {
    if (isIP(name) !== 0) return { addresses: [name], ttlMs: null };
    const plain = name.toLowerCase().replace(/\.$/, '');
    // Programs on the machine itself mostly listen on IPv4.
    if (plain === 'localhost' || plain.endsWith('.localhost'))
      return this.lookup(plain, family === 'AUTO' ? 'V4_PREFERRED' : family);
    // A name without a dot needs the search list, which only the system's look-up knows.
    if (!plain.includes('.') || this.isInHostsFile(plain)) return this.lookup(plain, family);
    try {
      return await byFamily(family, (version) => query(this.queries, name, version));
    } catch (error) {
      this.queries = this.makeQueries();
      throw error;
    }
  }

  private lookup(name: string, family: DnsFamily): Promise<DnsAnswer> {
    return byFamily(family, async (version) => {
      try {
        return { addresses: await this.system(name, version), ttlMs: null };
      } catch (error) {
        return whenUnanswered(error);
      }
    });
  }

  private isInHostsFile(name: string): boolean {
    try {
      const { mtimeMs, size } = statSync(this.hostsFile);
      const version = `${mtimeMs} ${size}`;
      if (version !== this.hostsVersion) {
        this.hostsNames = parseHosts(readFileSync(this.hostsFile, 'utf8'));
        this.hostsVersion = version;
      }
    } catch {
      // No such file: then no name is in it.
      return false;
    }
    return this.hostsNames.has(name);
  }
}

function parseHosts(text: string): ReadonlySet<string> {
  const names = text.split('\n').flatMap((line) => line.replace(/#.*/, '').trim().toLowerCase().split(/\s+/).slice(1));
  return new Set(names);
}

type Ask = (version: 4 | 6) => Promise<DnsAnswer>;

/** AUTO prefers IPv6, as Envoy; ALL keeps both. */
export async function byFamily(family: DnsFamily, ask: Ask): Promise<DnsAnswer> {
  if (family === 'V4_ONLY') return ask(4);
  if (family === 'V6_ONLY') return ask(6);
  if (family === 'ALL') return join(await Promise.allSettled([ask(4), ask(6)]));
  const order: readonly (4 | 6)[] = family === 'V4_PREFERRED' ? [4, 6] : [6, 4];
  const [first, second] = order as [4 | 6, 4 | 6];
  const [preferred] = await Promise.allSettled([ask(first)]);
  if (preferred.status === 'fulfilled' && preferred.value.addresses.length > 0) return preferred.value;
  const other = await ask(second);
  // An empty answer after a failure is no proof that there is nothing.
  if (other.addresses.length === 0 && preferred.status === 'rejected') throw preferred.reason;
  return other;
}

// One family may fail as long as the other answers.
function join(answers: readonly PromiseSettledResult<DnsAnswer>[]): DnsAnswer {
  const given = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
  const [failure] = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason] : []));
  const addresses = given.flatMap((answer) => answer.addresses);
  if (addresses.length === 0 && failure !== undefined) throw failure;
  const times = given.flatMap((answer) => (answer.ttlMs === null ? [] : [answer.ttlMs]));
  return { addresses, ttlMs: times.length === 0 ? null : Math.min(...times) };
}

async function query(resolver: dns.Resolver, name: string, version: 4 | 6): Promise<DnsAnswer> {
  try {
    const records: readonly RecordWithTtl[] =
      version === 4 ? await resolver.resolve4(name, { ttl: true }) : await resolver.resolve6(name, { ttl: true });
    const ttlMs = records.length === 0 ? null : Math.min(...records.map((record) => record.ttl)) * 1000;
    return { addresses: records.map((record) => record.address), ttlMs };
  } catch (error) {
    return whenUnanswered(error);
  }
}

async function systemLookup(name: string, version: 4 | 6): Promise<readonly string[]> {
  const found = await dns.lookup(name, { family: version, all: true });
  return found.map((entry) => entry.address);
}

// "There is no such name" and "it has no address of that family" are answers.
function whenUnanswered(error: unknown): DnsAnswer {
  const code = codeOf(error);
  if (code === 'ENOTFOUND' || code === 'ENODATA') return noAnswer;
  throw error instanceof Error ? error : new Error(messageOf(error));
}
