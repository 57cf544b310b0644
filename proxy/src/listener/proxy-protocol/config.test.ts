import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Issue } from '@weft/lib/issue';
import { MetricsRegistry } from '@weft/lib/metrics';
import { packAny } from '@weft/lib/protobuf/codec';
import { compileProxyProtocol, proxyProtocolType } from './config.ts';

function compile(config: object): readonly [compiled: boolean, issues: string[]] {
  const issues: Issue[] = [];
  const reader = compileProxyProtocol(packAny(proxyProtocolType, config), new MetricsRegistry(), { issues, path: 'l' });
  return [reader !== null, issues.map(({ code, path }) => `${code} ${path}`)];
}

test('a listener that would take no connection at all is refused', () => {
  assert.deepEqual(compile({ disallowedVersions: ['V1', 'V2'] }), [false, ['WEFT0841 l.disallowed_versions']]);
});

test('without a version left and headers optional, every byte is the application’s', () => {
  assert.deepEqual(compile({ disallowedVersions: ['V1', 'V2'], allowRequestsWithoutProxyProtocol: true }), [true, []]);
});
