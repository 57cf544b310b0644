// Which blocks of a traffic policy hold for a port of a subset.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TrafficPolicy } from '@weft/api/resource/traffic-policy';
import type { EffectiveRule } from '../../model/destination-rule.ts';
import { effectivePolicy } from './traffic-policy.ts';

const origin = { kind: 'DestinationRule', namespace: 'default', name: 'a' };
const balancer = { simple: 'RANDOM' } as const;
const connectionPool = { tcp: { maxConnections: 7 } };
const retryBudget = { percent: 50 };
const proxyProtocol = { version: 'V2' } as const;

function rule(trafficPolicy: TrafficPolicy, ofSubset?: TrafficPolicy): EffectiveRule {
  const subset = { name: 'v1', ...(ofSubset === undefined ? {} : { trafficPolicy: ofSubset }) };
  return { origin, trafficPolicy, subsets: [{ subset, origin }] };
}

const atPort80: TrafficPolicy = { portLevelSettings: [{ port: { number: 80 }, loadBalancer: balancer }] };

test("a subset's blocks replace those of the host one by one", () => {
  const merged = rule({ connectionPool, tls: { mode: 'DISABLE' } }, { tls: { mode: 'SIMPLE' } });
  assert.deepEqual(effectivePolicy(merged, 'v1', 80), { connectionPool, tls: { mode: 'SIMPLE' } });
});

test('a port-level entry replaces every block of its level that it can have', () => {
  const policy = rule({ connectionPool, retryBudget, proxyProtocol, ...atPort80 });
  assert.deepEqual(effectivePolicy(policy, '', 80), { loadBalancer: balancer, retryBudget, proxyProtocol });
  assert.deepEqual(effectivePolicy(policy, '', 81), { connectionPool, retryBudget, proxyProtocol });
});

test("a subset's port-level entry replaces the host's blocks too", () => {
  const policy = rule({ connectionPool, tls: { mode: 'SIMPLE' }, retryBudget }, { proxyProtocol, ...atPort80 });
  assert.deepEqual(effectivePolicy(policy, 'v1', 80), { loadBalancer: balancer, retryBudget, proxyProtocol });
  assert.deepEqual(effectivePolicy(policy, 'v1', 81), {
    connectionPool,
    tls: { mode: 'SIMPLE' },
    retryBudget,
    proxyProtocol,
  });
});
