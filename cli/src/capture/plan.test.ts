import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WeftError } from '@weft/lib/error';
import { checkRights, chooseBackend, planInstall, removeSteps, runSteps } from './plan.ts';
import { PretendedSystem, sampleRules } from './sample-rules.ts';
import { shellText } from './step.ts';
import { enterNamespace, hasIpv6 } from './system.ts';

const everything = ['nft', 'iptables', 'ip6tables', 'ip'];

function refusal(action: () => void): string {
  try {
    action();
  } catch (error) {
    if (error instanceof WeftError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'none';
}

test('takes nft where there is one, else iptables, else says what to install', () => {
  assert.equal(chooseBackend(new PretendedSystem(everything), undefined), 'nft');
  assert.equal(chooseBackend(new PretendedSystem(['iptables']), undefined), 'iptables');
  assert.equal(chooseBackend(new PretendedSystem(everything), 'iptables'), 'iptables');
  assert.match(
    refusal(() => chooseBackend(new PretendedSystem(['ip']), undefined)),
    /^WEFT0856: neither nft nor iptables is installed.*apt-get install nftables$/,
  );
  assert.match(
    refusal(() => chooseBackend(new PretendedSystem(['nft']), 'iptables')),
    /^WEFT0856: iptables is not installed/,
  );
  assert.match(
    refusal(() => planInstall(new PretendedSystem(['nft']), sampleRules({ mode: 'tproxy' }), 'nft')),
    /^WEFT0856: ip is not installed.*iproute2$/,
  );
});

test('says which right or system is missing before it changes anything', () => {
  const system = new PretendedSystem(everything);
  assert.equal(
    refusal(() => checkRights(system)),
    'none',
  );
  const lost = new PretendedSystem(everything, () => ({ status: 1, err: 'nsenter: cannot open\nNo such file\n' }));
  assert.match(
    refusal(() => checkRights(lost)),
    /^WEFT0859: .*cannot be entered: nsenter: cannot open No such file; name one/,
  );
  system.mayChangeNetwork = false;
  assert.match(
    refusal(() => checkRights(system)),
    /^WEFT0855: .*CAP_NET_ADMIN.*root/,
  );
  system.isLinux = false;
  assert.match(
    refusal(() => checkRights(system)),
    /^WEFT0858: .*Linux only/,
  );
});

test('does only what is not done yet, and tells each step', () => {
  // Nothing is there: conditions that ask for something fail.
  const system = new PretendedSystem(['nft', 'ip'], (call) => (/ list | show /.test(call) ? { status: 1 } : {}));
  const told: string[] = [];
  const { make, clean } = planInstall(system, sampleRules({ mode: 'tproxy', isIpv6: false }), 'nft');
  runSteps(system, [...make, ...clean], ({ program, args }) => told.push([program, ...args].join(' ')));
  assert.deepEqual(told, [
    'ip -4 rule add pref 1337 fwmark 1337 lookup 1337',
    'ip -4 route replace local 0.0.0.0/0 dev lo table 1337',
    'nft -f -',
  ]);
});

test('removes what any backend and any mode may have left', () => {
  const system = new PretendedSystem(everything, (call) => (call.includes(' show ') ? { out: 'something' } : {}));
  const told: string[] = [];
  runSteps(system, removeSteps(system), ({ program, args }) => told.push([program, ...args].join(' ')));
  for (const expected of [
    'nft delete table inet weft_capture',
    'iptables -w 10 -t nat -X WEFT_OUTPUT',
    'ip6tables -w 10 -t mangle -X WEFT_DIVERT',
    'ip -4 rule del pref 1337 fwmark 1337 lookup 1337',
    'ip -6 route flush table 1337 type local',
    'ip -6 addr del ::6/128 dev lo',
  ]) {
    assert.ok(told.includes(expected), expected);
  }
});

test('ends at the first step that fails, with its reason', () => {
  const system = new PretendedSystem(['nft'], (call) =>
    call === 'nft -f -' ? { status: 1, err: 'Error: No such file\n  at line 3\n' } : {},
  );
  const { make } = planInstall(system, sampleRules({ isIpv6: false }), 'nft');
  assert.match(
    refusal(() => runSteps(system, make, () => {})),
    /^WEFT0857: nft refused: Error: No such file at line 3;.*weft capture remove$/,
  );
});

test('sees whether anyone could be reached by IPv6', () => {
  const loopbackOnly = '00000000000000000000000000000001 01 80 10 80       lo\n';
  const own = '00000000000000000000000000000006 01 80 00 80       lo\n';
  const linkLocal = 'fe80000000000000000000fffe000001 02 40 20 80     eth0\n';
  const global = '20010db8000000000000000000000001 02 40 00 80     eth0\n';
  const seen = (out: string): boolean => hasIpv6(new PretendedSystem([], () => ({ out })));
  assert.equal(seen(''), false);
  assert.equal(seen(loopbackOnly + own + linkLocal), false);
  assert.equal(seen(loopbackOnly + linkLocal + global), true);
});

test('writes every step as a line for a shell, in the namespace that is meant', () => {
  const step = {
    program: 'ip',
    args: ['rule', 'add', "it's"],
    condition: { runsIf: false, program: 'ip', args: ['rule', 'show'], bySaying: true },
  };
  assert.equal(
    shellText(step, enterNamespace('shop')),
    "nsenter --net=/run/netns/shop -- ip rule show 2>/dev/null | grep -q . || nsenter --net=/run/netns/shop -- ip rule add 'it'\\''s'",
  );
  assert.deepEqual(enterNamespace('/proc/1/ns/net'), ['nsenter', '--net=/proc/1/ns/net', '--']);
  assert.deepEqual(enterNamespace(undefined), []);
});
