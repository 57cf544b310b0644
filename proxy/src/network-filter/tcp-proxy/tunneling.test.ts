import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Issue } from '@weft/lib/issue';
import { fakeView } from '../../../../test/kit/logged-view.ts';
import { compileTunneling } from './tunneling.ts';

type Config = Parameters<typeof compileTunneling>[0];

function compile(config: Config): readonly [tunneling: ReturnType<typeof compileTunneling>, issues: string[]] {
  const issues: Issue[] = [];
  const tunneling = compileTunneling(config, { issues, path: 'tcp' });
  return [tunneling, issues.map(({ code, path }) => `${code} ${path}`)];
}

test('a tunnel needs a destination, and a path only for POST', () => {
  assert.deepEqual(compile({ postPath: '/x' })[1], [
    'WEFT0845 tcp.tunneling_config.hostname',
    'WEFT0845 tcp.tunneling_config.post_path',
  ]);
});

test('a header that a tunnel may not have is refused by the name of its field', () => {
  const headersToAdd = [{ header: { key: 'x', value: '1' } }, { header: { key: 'content-length', value: '3' } }];
  assert.deepEqual(compile({ hostname: 'a:1', headersToAdd })[1], [
    'WEFT0314 tcp.tunneling_config.headers_to_add[1].header.key',
  ]);
});

test('a CONNECT names its destination, a POST its path as well', () => {
  const [connect] = compile({ hostname: '%DOWNSTREAM_REMOTE_PORT%.test:1' });
  const head = connect?.headFor(fakeView(), true);
  assert.deepEqual(
    [head?.method, head?.authority, head?.scheme, head?.upgrade],
    ['CONNECT', '50000.test:1', 'https', 'CONNECT'],
  );
  const [post] = compile({ hostname: 'a:1', usePost: true });
  const other = post?.headFor(fakeView(), false);
  assert.deepEqual([other?.method, other?.path, other?.upgrade], ['POST', '/', null]);
});

test('two tunnels of one configuration are told to be the same', () => {
  const [one, two] = [compile({ hostname: 'a:1' })[0], compile({ hostname: 'a:1' })[0]];
  assert.equal(one?.key, two?.key);
  assert.notEqual(one?.key, compile({ hostname: 'b:1' })[0]?.key);
});
