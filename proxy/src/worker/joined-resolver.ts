// Name resolution once for the process: threads that ask for the same name while it is being looked up share the answer.

import type { DnsAnswer, DnsFamily, DnsResolver } from '../cluster/dns/resolver.ts';

export class JoinedResolver implements DnsResolver {
  private readonly inner: DnsResolver;
  private readonly underWay: Map<string, Promise<DnsAnswer>> = new Map();

  constructor(inner: DnsResolver) {
    this.inner = inner;
  }

  resolve(name: string, family: DnsFamily): Promise<DnsAnswer> {
    const key = `${family} ${name}`;
    const known = this.underWay.get(key);
    if (known !== undefined) return known;
    const asked = this.inner.resolve(name, family).finally(() => this.underWay.delete(key));
    this.underWay.set(key, asked);
    return asked;
  }
}
