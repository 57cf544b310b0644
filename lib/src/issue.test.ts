import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatIssue, formatWarning, type Issue } from './issue.ts';

const finding: Issue = { code: 'WEFT0481', level: 'warning', message: 'No such host.', path: 'spec.hosts[0]' };
const origin = { kind: 'VirtualService', namespace: 'default', name: 'reviews', file: '/mesh/a.yaml', line: 3 };

test('a finding is told with place, level, code, resource and field', () => {
  const resource = 'VirtualService/default/reviews';
  const told = formatIssue({ ...finding, origin });
  assert.equal(told, `/mesh/a.yaml:3: warning WEFT0481 ${resource} spec.hosts[0]: No such host.`);
  assert.equal(formatIssue(finding), 'warning WEFT0481 spec.hosts[0]: No such host.');
});

test('a finding about a file names it once', () => {
  const file = { kind: 'File', namespace: '', name: '/mesh/a.yaml', file: '/mesh/a.yaml', line: 3 };
  const issue: Issue = { code: 'WEFT0401', level: 'error', message: 'Broken.', origin: file };
  assert.equal(formatIssue(issue), '/mesh/a.yaml:3: error WEFT0401: Broken.');
});

test('a warning among warnings is not called one again, an error is', () => {
  assert.match(formatWarning({ ...finding, origin }), /^\/mesh\/a\.yaml:3: WEFT0481 VirtualService/);
  assert.match(formatWarning({ ...finding, level: 'error', origin }), /^\/mesh\/a\.yaml:3: error WEFT0481 /);
});
