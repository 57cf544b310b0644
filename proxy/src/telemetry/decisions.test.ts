import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fakeConnection, fakeView } from '../../../test/kit/logged-view.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Host } from '../cluster/host.ts';
import { fault } from '../fault/fault.ts';
import type { Route } from '../route/route.ts';
import { DecisionLog, decisionToJson, explainDecision } from './decisions.ts';
import { faultAdvice } from './fault-advice.ts';
import { ConnectionView } from './view.ts';

const origin = { kind: 'VirtualService', namespace: 'default', name: 'reviews', file: 'vs.yaml', line: 7 };
const route = { name: 'v2', origin } as unknown as Route;
const cluster = { name: 'outbound|9080|v2|reviews', origin: null } as unknown as Cluster;
const host = { key: '10.0.0.7:9080' } as unknown as Host;

function refused(id: string) {
  return fakeView({
    decisionId: id,
    status: 503,
    fault: fault.no_healthy_host,
    details: 'no_healthy_host',
    route,
    cluster,
  });
}

describe('DecisionLog', () => {
  it('gives every decision an id of its own', () => {
    const log = new DecisionLog('p');
    assert.deepEqual([log.newId(), log.newId()], ['p-1', 'p-2']);
    assert.notEqual(new DecisionLog().newId(), new DecisionLog().newId());
  });

  it('keeps no more of what a client says than tells who asked for what', () => {
    const log = new DecisionLog('p');
    const path = `/${'x'.repeat(50_000)}?secret`;
    log.record({ ...refused('a'), originalPath: path, authority: 'a'.repeat(5000), requestId: 'r'.repeat(5000) });
    const kept = log.find('a');
    for (const text of [kept?.path, kept?.authority, kept?.requestId]) assert.equal(text?.length, 2051);
  });

  it('finds a decision by its id until newer ones push it out', () => {
    const log = new DecisionLog('p', 3);
    for (const id of ['a', 'b', 'c', 'd']) log.record(refused(id));
    assert.equal(log.find('a'), null);
    assert.equal(log.find('b')?.id, 'b');
    assert.deepEqual(
      log.recent().map((decision) => decision.id),
      ['d', 'c', 'b'],
    );
    assert.deepEqual(
      log.recent(1).map((decision) => decision.id),
      ['d'],
    );
    assert.equal(log.total, 4);
  });

  it('is empty at first', () => assert.deepEqual(new DecisionLog().recent(), []));

  it('keeps no query, which may hold secrets', () => {
    const log = new DecisionLog('p');
    log.record(fakeView({ decisionId: 'x', originalPath: '/a?token=secret' }));
    assert.equal(JSON.stringify(log.recent()).includes('secret'), false);
  });
});

describe('explanation', () => {
  it('says what happened, who was asked, which resource decided and what to do', () => {
    const log = new DecisionLog('p');
    log.record(refused('x'));
    const decision = log.find('x');
    assert.ok(decision);
    assert.equal(
      explainDecision(decision),
      'GET reviews:9080/reviews/1 was answered 503 by the mesh after 12 ms: no healthy upstream (no_healthy_host). ' +
        'It was routed to outbound|9080|v2|reviews; no endpoint was picked. ' +
        'Route v2 comes from VirtualService/default/reviews (vs.yaml:7). ' +
        'Check that the service has running, ready endpoints (`weft proxy-config WORKLOAD endpoints`).',
    );
  });

  it('names the client’s identity, the policy and the last endpoint', () => {
    const log = new DecisionLog('p');
    const peer = {
      uriSans: ['spiffe://td/ns/a/sa/b'],
      dnsSans: [],
      subject: '',
      issuer: '',
      serial: '',
      hash: '',
      pem: '',
    };
    const connection = fakeConnection({ peer });
    const details = 'rbac_access_denied_matched_policy[ns/deny]';
    log.record(
      fakeView({
        decisionId: 'x',
        status: 403,
        fault: fault.access_denied,
        details,
        connection,
        cluster,
        host,
        attempts: 2,
      }),
    );
    const text = explainDecision(log.recent()[0] ?? assert.fail());
    assert.match(text, /from spiffe:\/\/td\/ns\/a\/sa\/b was answered 403/);
    assert.match(text, /Details: rbac_access_denied_matched_policy\[ns\/deny\]\./);
    assert.match(text, /2 tries, the last at 10\.0\.0\.7:9080/);
  });

  it('names the AuthorizationPolicy and the rule that refused', () => {
    const log = new DecisionLog('p');
    const details = 'rbac_access_denied_matched_policy[ns[shop]-policy[no-admin]-rule[2]]';
    log.record(fakeView({ decisionId: 'x', status: 403, fault: fault.access_denied, details }));
    const text = explainDecision(log.recent()[0] ?? assert.fail());
    assert.match(text, /It was refused by spec\.rules\[2\] of AuthorizationPolicy\/shop\/no-admin\./);
  });

  it('tells the file and line of a policy from the listener that enforced it', () => {
    const log = new DecisionLog('p');
    const policy = (name: string, line: number) => ({
      kind: 'AuthorizationPolicy',
      namespace: 'shop',
      name,
      file: 'authz.yaml',
      line,
    });
    const origins = {
      listener: null,
      policies: new Map([['ns[shop]-policy[no-admin]-rule[0]', policy('no-admin', 9)]]),
      allowPolicies: [policy('readers', 20), policy('writers', 30)],
    };
    const connection = fakeConnection({ listener: { origins } });
    const explain = (name: string) => {
      const details = `rbac_access_denied_matched_policy[${name}]`;
      log.record(fakeView({ decisionId: 'x', status: 403, fault: fault.access_denied, details, connection }));
      return explainDecision(log.recent()[0] ?? assert.fail());
    };
    assert.match(
      explain('ns[shop]-policy[no-admin]-rule[0]'),
      /refused by spec\.rules\[0\] of AuthorizationPolicy\/shop\/no-admin \(authz\.yaml:9\)\./,
    );
    assert.match(
      explain('none'),
      /lets it in: AuthorizationPolicy\/shop\/readers \(authz\.yaml:20\), AuthorizationPolicy\/shop\/writers \(authz\.yaml:30\)\./,
    );
    assert.equal(log.recent()[0]?.origin?.name, 'readers');
  });

  it('names what the listener stands for when no route was found', () => {
    const log = new DecisionLog('p');
    const listener = { kind: 'Gateway', namespace: 'shop', name: 'edge', file: 'g.yaml', line: 4 };
    const connection = fakeConnection({
      listener: { origins: { listener, policies: new Map(), allowPolicies: [] } },
    });
    log.record(
      fakeView({ decisionId: 'x', status: 404, fault: fault.no_route, details: 'route_not_found', connection }),
    );
    assert.match(
      explainDecision(log.recent()[0] ?? assert.fail()),
      /The listener stands for Gateway\/shop\/edge \(g\.yaml:4\)\./,
    );
  });

  it('tells what a route that answers by itself said', () => {
    const log = new DecisionLog('p');
    const direct = { name: 'gone', origin, directResponse: { status: 503, body: 'WEFT0610: it leads nowhere\n' } };
    const route = direct as unknown as Route;
    log.record(fakeView({ decisionId: 'x', status: 503, details: 'direct_response', route }));
    assert.match(
      explainDecision(log.recent()[0] ?? assert.fail()),
      /answered 503 by the mesh after 12 ms: direct_response\. Route gone comes from VirtualService\/default\/reviews \(vs\.yaml:7\)\. It said: WEFT0610: it leads nowhere\.$/,
    );
  });

  it('speaks of a connection where there was no request', () => {
    const view = new ConnectionView(fakeConnection(), 0, 0);
    view.decisionId = 'c';
    view.fault = fault.no_filter_chain;
    const log = new DecisionLog('p');
    log.record(view);
    assert.match(
      explainDecision(log.recent()[0] ?? assert.fail()),
      /^The connection from 10\.0\.0\.9:50000 was ended by the mesh/,
    );
  });

  it('is part of the JSON form', () => {
    const log = new DecisionLog('p');
    log.record(refused('x'));
    const json = decisionToJson(log.recent()[0] ?? assert.fail());
    assert.equal(json.time, '2026-01-02T03:04:05.067Z');
    assert.equal(json.code, 'no_healthy_host');
    assert.deepEqual(json.origin, origin);
    assert.match(String(json.explanation), /503/);
  });
});

describe('advice', () => {
  it('exists for every fault, and for nothing else', () => {
    assert.deepEqual(Object.keys(faultAdvice).sort(), Object.keys(fault).sort());
  });
});
