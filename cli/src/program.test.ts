import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Bench, runIn } from './test-bench.ts';

describe('the command line', () => {
  it('answers --help of every verb with examples and status 0', async () => {
    const top = await runIn('/', ['--help']);
    assert.equal(top.status, 0);
    assert.match(top.out, /Exit status: 0 done/);
    const verbs = [...top.out.matchAll(/^ {2}([a-z][a-z-]+)(?:\||\s)/gm)]
      .map((match) => match[1] ?? '')
      .filter((verb) => verb !== 'help');
    assert.deepEqual(
      verbs,
      'up run apply delete get diff analyze status proxy-config explain logs proxy control-plane capture version completion'.split(
        ' ',
      ),
    );
    for (const verb of verbs.filter((each) => !['proxy', 'control-plane'].includes(each))) {
      const help = await runIn('/', [verb, '--help']);
      assert.equal(help.status, 0, verb);
      assert.match(help.out, /Examples?:\n +\$ /, verb);
    }
  });

  for (const args of [
    ['no-such-verb'],
    ['get'],
    ['apply'],
    ['up'],
    ['up', 'x', '--ingress-port', '99999'],
    ['get', 'vs', '-o', 'xml'],
    ['delete', 'vs'],
    ['delete'],
    ['apply', '-f', 'x.yaml', '--wait=1h'],
    ['version', '-o', 'yaml'],
    ['run', '--service', 'a', '--port', '80', '--version', '../../v1', '--', 'true'],
    ['run', '--service', 'a', '--port', '80', '--protocol', 'htp', '--', 'true'],
    ['run', '--service', 'a', '--port', '80', '--service-account', 'A b', '--', 'true'],
  ]) {
    it(`refuses "weft ${args.join(' ')}" with status 2`, async () => {
      const { status, err } = await runIn('/', args);
      assert.equal(status, 2);
      assert.notEqual(err, '');
    });
  }

  it('has status 3 and one line to say when no mesh is running', async (context) => {
    const folder = mkdtempSync(join(tmpdir(), 'weft-cli-'));
    context.after(() => rmSync(folder, { recursive: true, force: true }));
    for (const args of [['get', 'vs'], ['status'], ['logs', 'x'], ['explain', 'x'], ['proxy-config', 'x']]) {
      const { status, err } = await runIn(folder, args);
      assert.equal(status, 3, args.join(' '));
      assert.match(err, /^weft: WEFT0801: no mesh is running .*weft up DIR\n$/);
    }
  });

  it('tells the chain of causes with --verbose', async (context) => {
    const bench = await Bench.make(context);
    await bench.api.close();
    const { status, err } = await bench.run('get', 'vs', '--verbose');
    assert.equal(status, 3);
    assert.match(err, /WEFT0807.*\n.*caused by: /s);
  });

  it('tells its version as text and as JSON', async () => {
    assert.match((await runIn('/', ['version'])).out, /^weft \d+\.\d+\.\d+ \(node 26\./);
    assert.deepEqual(Object.keys(JSON.parse((await runIn('/', ['version', '-o', 'json'])).out)), ['weft', 'node']);
  });

  it('prints completion scripts that name every verb', async () => {
    for (const shell of ['bash', 'zsh', 'fish']) {
      const { status, out } = await runIn('/', ['completion', shell]);
      assert.equal(status, 0);
      for (const verb of ['proxy-config', 'analyze', 'completion']) assert.ok(out.includes(verb), `${shell} ${verb}`);
    }
    const { out } = await runIn('/', ['completion', 'bash']);
    const complete = `${out}\nCOMP_WORDS=(weft ex) COMP_CWORD=1; _weft; echo "\${COMPREPLY[@]}"`;
    assert.equal(execFileSync('bash', ['-c', complete], { encoding: 'utf8' }).trim(), 'explain');
    const short = `${out}\nCOMP_WORDS=(weft pc web ro) COMP_CWORD=3; _weft; echo "\${COMPREPLY[@]}"`;
    assert.equal(execFileSync('bash', ['-c', short], { encoding: 'utf8' }).trim(), 'routes');
  });
});
