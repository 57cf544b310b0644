import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nftInstall } from './nft.ts';
import { sampleRules } from './sample-rules.ts';

test('redirects what the workload opens and what comes in, and leaves the proxy alone', () => {
  assert.equal(
    nftInstall(sampleRules({})).input,
    `table inet weft_capture
delete table inet weft_capture
table inet weft_capture {
  chain output {
    type nat hook output priority -100; policy accept;
    meta l4proto != tcp return
    ip saddr 127.0.0.6 return
    ip6 saddr ::6 return
    oifname "lo" meta skuid 1337 ip daddr != 127.0.0.0/8 jump inbound
    oifname "lo" meta skuid 1337 ip6 daddr != ::1/128 jump inbound
    meta skuid 1337 return
    oifname "lo" return
    ip6 daddr fe80::/10 return
    meta nfproto ipv4 meta l4proto tcp redirect to :15001
    meta nfproto ipv6 meta l4proto tcp redirect to :15001
  }

  chain inbound {
    ip6 daddr fe80::/10 return
    meta l4proto tcp redirect to :15006
  }

  chain prerouting {
    type nat hook prerouting priority -100; policy accept;
    meta l4proto != tcp return
    fib daddr type local jump inbound
  }
}
`,
  );
});

test('carries every option, and hands over by TPROXY', () => {
  const rules = sampleRules({
    mode: 'tproxy',
    isIpv6: false,
    outboundPort: 16_001,
    inboundPort: 16_006,
    proxy: { kind: 'gid', id: 7 },
    includeCidrs: ['10.0.0.0/8', 'fd00::/8'],
    excludeCidrs: ['10.1.0.0/16'],
    excludeOutboundPorts: [{ first: 9000, last: 9009 }],
    includeInboundPorts: [
      { first: 80, last: 80 },
      { first: 443, last: 443 },
    ],
    excludeInboundPorts: [{ first: 22, last: 22 }],
  });
  assert.equal(
    nftInstall(rules).input,
    `table inet weft_capture
delete table inet weft_capture
table inet weft_capture {
  chain output {
    type nat hook output priority -100; policy accept;
    meta l4proto != tcp return
    meta nfproto != ipv4 return
    ip saddr 127.0.0.6 return
    oifname "lo" meta skgid 7 ip daddr != 127.0.0.0/8 jump inbound
    meta skgid 7 return
    oifname "lo" return
    tcp dport 9000-9009 return
    ip daddr 10.1.0.0/16 return
    ip daddr 10.0.0.0/8 meta l4proto tcp redirect to :16001
  }

  chain inbound {
    tcp dport 22 return
    tcp dport 80 meta l4proto tcp redirect to :16006
    tcp dport 443 meta l4proto tcp redirect to :16006
  }

  chain divert {
    type filter hook prerouting priority -150; policy accept;
    meta l4proto != tcp return
    meta nfproto != ipv4 return
    iifname "lo" return
    socket transparent 1 meta mark set 1337 accept
    fib daddr type != local return
    tcp flags & (fin | syn | rst | ack) != syn return
    tcp dport 22 return
    tcp dport 80 meta nfproto ipv4 meta l4proto tcp tproxy ip to :16006 meta mark set 1337 accept
    tcp dport 443 meta nfproto ipv4 meta l4proto tcp tproxy ip to :16006 meta mark set 1337 accept
  }
}
`,
  );
});
