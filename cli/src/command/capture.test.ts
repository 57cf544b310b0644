import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runIn } from '../test-bench.ts';

const print = (...args: string[]) => runIn('/', ['capture', 'print', '--backend', 'nft', '--ipv4-only', ...args]);
const hasNft = (await print()).status === 0;
const skip = hasNft ? false : 'nft is not installed';
if (!hasNft) console.log(`skipped: printing the rules of capture: ${skip}`);

describe('weft capture', { skip }, () => {
  it('prints a shell script and changes nothing', async () => {
    const { status, out } = await print('--proxy-gid', '7', '--exclude-cidr', '10.0.0.1,10.1.0.0/16');
    assert.equal(status, 0);
    assert.match(out, /^set -e\nnft -f - <<'RULES'\n/);
    assert.match(out, /meta skgid 7 return/);
    assert.match(out, /ip daddr 10\.0\.0\.1\/32 return\n +ip daddr 10\.1\.0\.0\/16 return/);
    assert.match(out, /tcp dport 22 return/);
  });

  it('prints what install would do with --dry-run', async () => {
    const args = ['--backend', 'nft', '--ipv4-only', '--include-inbound-ports', 'none'];
    const printed = await runIn('/', ['capture', 'print', ...args]);
    const dry = await runIn('/', ['capture', 'install', '--dry-run', ...args]);
    assert.equal(dry.out, printed.out);
    assert.doesNotMatch(dry.out, /redirect to :15006/);
  });

  it('asks for the choice that it cannot make: whether a namespace that it cannot enter has IPv6', async () => {
    for (const action of [['print'], ['install', '--dry-run']]) {
      const { status, err } = await runIn('/', ['capture', ...action, '--backend', 'nft', '--netns', 'not-there']);
      assert.equal(status, 1);
      assert.match(err, /WEFT0859: the network namespace cannot be entered: .*, or say --ipv4-only or --ipv6$/m);
    }
  });

  it('puts every call into the namespace', async () => {
    const { out } = await print('--netns', 'shop');
    for (const line of out.split('\n').filter((text) => /^(?:nft|ip) /.test(text))) assert.fail(line);
    assert.match(out, /^set -e\nnsenter --net=\/run\/netns\/shop -- nft -f -/);
  });
});

describe('weft capture refuses', () => {
  for (const [args, message] of [
    [['explain'], /Allowed choices are install, remove, print/],
    [['print', '--proxy-uid', '1', '--proxy-gid', '1'], /cannot be used with/],
    [['print', '--ipv4-only', '--ipv6'], /cannot be used with/],
    [['print', '--inbound-port', '0'], /port from 1 to 65535/],
    [['print', '--inbound-port', '15001'], /must differ/],
    [['print', '--proxy-uid', 'root'], /must be a number/],
    [['print', '--exclude-cidr', '10.0.0.0/33'], /--exclude-cidr: '10.0.0.0\/33' is no address range/],
    [['print', '--include-cidr', 'host'], /--include-cidr: 'host'/],
    [['print', '--exclude-outbound-ports', '9-8'], /'9-8' is no port/],
    [['print', '--include-inbound-ports', '80,x'], /'x' is no port/],
    [['print', '--mode', 'ebpf'], /Allowed choices are redirect, tproxy/],
  ] as const) {
    it(args.join(' '), async () => {
      const { status, err } = await runIn('/', ['capture', ...args]);
      assert.equal(status, 2, err);
      assert.match(err, message);
    });
  }
});
