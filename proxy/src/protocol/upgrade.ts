// Upgrades, CONNECT among them: what turns a request into a tunnel.

/** Whether a response accepts what was asked for: a 101, or a 2xx to CONNECT (RFC 9110 §7.8, §9.3.6). */
export function acceptsUpgrade(upgrade: string, status: number): boolean {
  return upgrade === 'CONNECT' ? status >= 200 && status < 300 : status === 101;
}
