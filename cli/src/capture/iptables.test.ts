import assert from 'node:assert/strict';
import { test } from 'node:test';
import { iptablesInstall, iptablesRemove } from './iptables.ts';
import { sampleRules } from './sample-rules.ts';
import { type Step, shellText } from './step.ts';

const script = (steps: readonly Step[]): string => steps.map((step) => `${shellText(step)}\n`).join('');

test('makes chains of its own in one transaction, reached by one jump each', () => {
  const rules = sampleRules({
    excludeInboundPorts: [{ first: 22, last: 22 }],
    excludeCidrs: ['10.0.0.0/8', 'fd00::/8'],
  });
  assert.equal(
    script(iptablesInstall(rules, 6)),
    `ip6tables-restore -w 10 --noflush <<'RULES'
*nat
:WEFT_OUTPUT - [0:0]
:WEFT_INBOUND - [0:0]
-A WEFT_OUTPUT -s ::6 -j RETURN
-A WEFT_OUTPUT -o lo ! -d ::1/128 -m owner --uid-owner 1337 -j WEFT_INBOUND
-A WEFT_OUTPUT -m owner --uid-owner 1337 -j RETURN
-A WEFT_OUTPUT -o lo -j RETURN
-A WEFT_OUTPUT -d fe80::/10 -j RETURN
-A WEFT_OUTPUT -d fd00::/8 -j RETURN
-A WEFT_OUTPUT -p tcp -j REDIRECT --to-ports 15001
-A WEFT_INBOUND -d fe80::/10 -j RETURN
-A WEFT_INBOUND -p tcp --dport 22 -j RETURN
-A WEFT_INBOUND -p tcp -j REDIRECT --to-ports 15006
COMMIT
RULES
ip6tables -w 10 -t nat -C OUTPUT -p tcp -j WEFT_OUTPUT >/dev/null 2>&1 || ip6tables -w 10 -t nat -A OUTPUT -p tcp -j WEFT_OUTPUT
ip6tables -w 10 -t nat -C PREROUTING -p tcp -m addrtype --dst-type LOCAL -j WEFT_INBOUND >/dev/null 2>&1 || ip6tables -w 10 -t nat -A PREROUTING -p tcp -m addrtype --dst-type LOCAL -j WEFT_INBOUND
`,
  );
});

test('hands over by TPROXY what comes in, and redirects the rest', () => {
  const rules = sampleRules({
    mode: 'tproxy',
    proxy: { kind: 'gid', id: 7 },
    includeCidrs: ['10.0.0.0/8'],
    includeInboundPorts: [{ first: 80, last: 89 }],
    excludeOutboundPorts: [{ first: 53, last: 53 }],
  });
  const [nat, mangle] = iptablesInstall(rules, 4);
  assert.equal(
    `${nat?.input}${mangle?.input}`,
    `*nat
:WEFT_OUTPUT - [0:0]
:WEFT_INBOUND - [0:0]
-A WEFT_OUTPUT -s 127.0.0.6 -j RETURN
-A WEFT_OUTPUT -o lo ! -d 127.0.0.0/8 -m owner --gid-owner 7 -j WEFT_INBOUND
-A WEFT_OUTPUT -m owner --gid-owner 7 -j RETURN
-A WEFT_OUTPUT -o lo -j RETURN
-A WEFT_OUTPUT -p tcp --dport 53 -j RETURN
-A WEFT_OUTPUT -d 10.0.0.0/8 -p tcp -j REDIRECT --to-ports 15001
-A WEFT_INBOUND -p tcp --dport 80:89 -j REDIRECT --to-ports 15006
COMMIT
*mangle
:WEFT_ARRIVAL - [0:0]
:WEFT_DIVERT - [0:0]
-A WEFT_ARRIVAL -i lo -j RETURN
-A WEFT_ARRIVAL -p tcp -m socket --transparent -j WEFT_DIVERT
-A WEFT_ARRIVAL -p tcp --syn --dport 80:89 -j TPROXY --on-port 15006 --tproxy-mark 1337
-A WEFT_DIVERT -j MARK --set-mark 1337
-A WEFT_DIVERT -j ACCEPT
COMMIT
`,
  );
});

test('removes jumps first, then empties all chains, then deletes them', () => {
  const verbs = iptablesRemove(4).map(({ args }) => args.slice(3, 6).join(' '));
  assert.deepEqual(verbs, [
    'nat -D OUTPUT',
    'nat -D PREROUTING',
    'nat -F WEFT_OUTPUT',
    'nat -F WEFT_INBOUND',
    'nat -X WEFT_OUTPUT',
    'nat -X WEFT_INBOUND',
    'mangle -D PREROUTING',
    'mangle -F WEFT_ARRIVAL',
    'mangle -F WEFT_DIVERT',
    'mangle -X WEFT_ARRIVAL',
    'mangle -X WEFT_DIVERT',
  ]);
});
