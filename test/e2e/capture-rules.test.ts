// What `weft capture` does to a network namespace that holds more than its own rules.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { NetworkNamespace, whyNoNamespaces, whyNoRules } from './network-namespace.ts';

const weft = fileURLToPath(new URL('../../cli/src/main.ts', import.meta.url));
const whyNot = whyNoNamespaces(weft) ?? whyNoRules('nft');
if (whyNot !== null) console.log(`skipped: rules of capture beside others: ${whyNot}`);

function capture(namespace: NetworkNamespace, ...args: string[]): string {
  const command = [weft, 'capture', ...args, '--netns', namespace.path];
  const { status, stdout, stderr } = spawnSync(process.execPath, command, { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return stdout;
}

describe('rules of capture beside others', { skip: whyNot ?? false }, () => {
  test('a rule and a route of somebody else stay, whatever their numbers', async (context) => {
    const namespace = await NetworkNamespace.make(context);
    const rules = (): string[] => namespace.run('ip', 'rule', 'show', 'pref', '1337').trim().split('\n');
    const routes = (): string[] => namespace.run('ip', 'route', 'show', 'table', '1337').trim().split(/ *\n/);
    const theirs = '1337:\tfrom 192.0.2.9 lookup main';
    const ours = '1337:\tfrom all fwmark 0x539 lookup 1337';
    namespace.run('ip', 'rule', 'add', 'pref', '1337', 'from', '192.0.2.9', 'lookup', 'main');
    namespace.run('ip', 'route', 'add', 'blackhole', '192.0.2.9', 'table', '1337');
    capture(namespace, 'install', '--mode', 'tproxy', '--ipv4-only');
    assert.deepEqual(new Set(rules()), new Set([ours, theirs]), 'ours is made beside theirs');
    assert.deepEqual(routes(), ['local default dev lo scope host', 'blackhole 192.0.2.9']);
    for (const args of [['install', '--ipv4-only'], ['remove']]) {
      capture(namespace, ...args);
      assert.deepEqual([rules(), routes()], [[theirs], ['blackhole 192.0.2.9']], args.join(' '));
    }
  });

  test('a printed script replaces the rules as the command does', {
    skip: whyNoRules('iptables') ?? false,
  }, async (context) => {
    const namespace = await NetworkNamespace.make(context);
    const rules = (): string =>
      [['iptables-save'], ['nft', 'list', 'table', 'inet', 'weft_capture'], ['ip', 'rule']]
        .map((command) => namespace.run(...command))
        .join('')
        .split('\n')
        .filter((line) => /weft|redirect|tproxy|lookup/i.test(line))
        .join('\n');
    capture(namespace, 'install', '--ipv4-only');
    const alone = rules();
    capture(namespace, 'install', '--ipv4-only', '--backend', 'iptables', '--mode', 'tproxy');
    const script = capture(namespace, 'print', '--ipv4-only');
    assert.equal(script, capture(namespace, 'install', '--dry-run', '--ipv4-only'));
    const run = (text: string) => spawnSync('sh', { input: text, encoding: 'utf8' });
    const { status, stderr } = run(script);
    assert.equal(status, 0, stderr);
    assert.equal(rules(), alone);
    assert.equal(run(script).status, 0, 'where there is nothing to remove');
    assert.notEqual(run(script.replace('redirect to', 'redirect for')).status, 0, 'where nft refuses');
  });
});
