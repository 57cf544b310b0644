// The status that Weft serves with a resource.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Issue } from '@weft/lib/issue';
import { worldOfText } from '../resource/test-findings.ts';
import type { StoredResource } from '../store/world.ts';
import { StatusBoard } from './status-board.ts';

const text = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: a, generation: 3}
spec: {hosts: [a.com], gateways: [gone], http: [{route: [{destination: {host: gone}}]}]}
status: {conditions: [{type: PassedAnalysis, status: Unknown}, {type: Mine, status: 'True'}]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: g}
spec: {selector: {a: b}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: w}
spec: {address: 127.0.0.1}
`;

interface Status {
  readonly observedGeneration: number;
  readonly conditions: readonly { readonly type: string; readonly status: string }[];
  readonly validationMessages?: readonly {
    readonly type: { readonly code: string };
    readonly line: number;
    readonly path: string;
  }[];
}

const world = worldOfText(text);
const board = (fileIssues: readonly Issue[] = []) =>
  new StatusBoard({
    world: () => world,
    checkContext: () => ({ rootNamespaces: [], mutualTls: 'PERMISSIVE', proxies: [], nowMs: 0 }),
    fileIssues: () => fileIssues,
  });
const statusOf = (kind: 'VirtualService' | 'Gateway' | 'WorkloadEntry', name: string, from = board()) => {
  const resource = world.get(kind, 'default', name);
  assert.ok(resource !== null);
  return from.statusOf(resource as StoredResource) as Status | null;
};

describe('StatusBoard', () => {
  it('tells every finding with code, field and line, and keeps the conditions of others', () => {
    const status = statusOf('VirtualService', 'a');
    assert.deepEqual(
      status?.conditions.map((each) => `${each.type} ${each.status}`),
      ['Mine True', 'PassedAnalysis False'],
    );
    assert.equal(status?.observedGeneration, 3);
    assert.deepEqual(
      status?.validationMessages?.map((each) => `${each.type.code} ${each.path} ${each.line}`),
      ['WEFT0480 spec.gateways[0] 5', 'WEFT0481 spec.http[0].route[0].destination.host 5'],
    );
  });

  it('says that all is well', () => {
    assert.deepEqual(
      statusOf('Gateway', 'g')?.conditions.map((each) => `${each.type} ${each.status}`),
      ['PassedAnalysis True'],
    );
    assert.equal(statusOf('Gateway', 'g')?.validationMessages, undefined);
  });

  it('tells of the broken file of a resource that serves in its last good state', () => {
    const broken: Issue = {
      code: 'WEFT0407',
      level: 'error',
      message: 'no such field',
      path: 'spec.x',
      origin: { kind: 'Gateway', namespace: 'default', name: 'g', file: 'g.yaml', line: 7 },
    };
    assert.equal(statusOf('Gateway', 'g', board([broken]))?.validationMessages?.[0]?.line, 7);
  });

  it('leaves kinds alone about which nothing can be found', () => {
    assert.equal(statusOf('WorkloadEntry', 'w'), null);
  });
});
