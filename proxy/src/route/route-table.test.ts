import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Issue } from '@weft/lib/issue';
import { findIssues, makeTable, parseTable, routeName, sampleContext, to } from '../../../test/kit/routes.ts';
import { compileRouteTable } from './table-config.ts';

function hosts(domains: Readonly<Record<string, readonly string[]>>, more: object = {}): object {
  const virtualHosts = Object.entries(domains).map(([name, list]) => ({ name, domains: list, routes: [to(name)] }));
  return { name: 'test', virtual_hosts: virtualHosts, ...more };
}

test('chooses the virtual host by exact name, longest suffix, longest prefix, star', () => {
  const table = makeTable(
    hosts({
      exact: ['www.example.test', 'www.example.test:8080'],
      suffix: ['*.example.test'],
      longer: ['*.deep.example.test', '*-x.example.test'],
      prefix: ['www.example.*'],
      short: ['www.*'],
      rest: ['*'],
    }),
  );
  const cases: [authority: string, name: string][] = [
    ['www.example.test', 'exact'],
    ['WWW.Example.TEST', 'exact'],
    ['www.example.test:8080', 'exact'],
    ['www.example.test:9090', 'prefix'],
    ['api.example.test', 'suffix'],
    ['.example.test', 'rest'],
    ['example.test', 'rest'],
    ['a.deep.example.test', 'longer'],
    ['deep.example.test', 'suffix'],
    ['a-x.example.test', 'longer'],
    ['-x.example.test', 'suffix'],
    ['www.example.com', 'prefix'],
    ['www.other', 'short'],
    ['www.', 'rest'],
    ['', 'rest'],
  ];
  for (const [authority, name] of cases) assert.equal(routeName(table, { authority }), name, authority);
});

test('has no route where no domain fits', () => {
  assert.equal(routeName(makeTable(hosts({ one: ['one.test'] })), { authority: 'two.test' }), null);
});

test('leaves the port out of account where told to', () => {
  const table = makeTable(hosts({ one: ['one.test', '[::1]'], rest: ['*'] }, { ignore_port_in_host_matching: true }));
  for (const authority of ['one.test', 'one.test:80', 'ONE.test:8443', '[::1]:80', '[::1]']) {
    assert.equal(routeName(table, { authority }), 'one', authority);
  }
  assert.equal(routeName(table, { authority: 'two.test:80' }), 'rest');
});

test('finds a host among thousands without looking at each', () => {
  const domains = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`host-${i}`, [`host-${i}.test`]]));
  const table = makeTable(hosts(domains));
  const started = performance.now();
  for (let i = 0; i < 20_000; i++)
    assert.equal(table.findVirtualHost(`host-${i % 5000}.test`)?.name, `host-${i % 5000}`);
  // A walk over the hosts would take minutes.
  assert.ok(performance.now() - started < 2000);
});

test('refuses double names and domains, and what is no domain', () => {
  const config = {
    name: 'test',
    virtual_hosts: [
      { name: 'a', domains: ['one.test', '*', '*.x'], routes: [] },
      { name: 'a', domains: ['ONE.test', '*', '*.X'], routes: [] },
      { name: 'b', domains: ['a*b', '*a*', ''], routes: [] },
      { name: '', routes: [] },
    ],
  };
  assert.deepEqual(findIssues(config), [
    'WEFT0341 virtual_hosts[1].name',
    'WEFT0345 virtual_hosts[1].domains[0]',
    'WEFT0345 virtual_hosts[1].domains[1]',
    'WEFT0345 virtual_hosts[1].domains[2]',
    'WEFT0344 virtual_hosts[2].domains[0]',
    'WEFT0344 virtual_hosts[2].domains[1]',
    'WEFT0344 virtual_hosts[2].domains[2]',
    'WEFT0340 virtual_hosts[3].name',
    'WEFT0344 virtual_hosts[3].domains',
  ]);
});

test('names unknown clusters only where they are to be validated', () => {
  const config = hosts({ known: ['a.test'], missing: ['b.test'] });
  assert.deepEqual(findIssues(config), []);
  assert.deepEqual(findIssues({ ...config, validate_clusters: true }), [
    'WEFT0342 virtual_hosts[1].routes[0].route.cluster',
  ]);
  assert.deepEqual([...makeTable(config).clusters], ['known', 'missing']);
});

test('checks clusters without weight too, but waits for none of them', () => {
  const clusters = [
    { name: 'known', weight: 1 },
    { name: 'missing', weight: 0 },
  ];
  const routes = [{ match: { prefix: '/' }, route: { weighted_clusters: { clusters } } }];
  const config = { name: 'test', virtual_hosts: [{ name: 'a', domains: ['*'], routes }] };
  assert.deepEqual(findIssues({ ...config, validate_clusters: true }), [
    'WEFT0342 virtual_hosts[0].routes[0].route.weighted_clusters.clusters[1].name',
  ]);
  assert.deepEqual([...makeTable(config).clusters], ['known']);
});

test('sends plain requests to https where TLS is required', () => {
  const table = makeTable({
    name: 'test',
    virtual_hosts: [{ name: 'safe', domains: ['*'], routes: [to('web')], require_tls: 'ALL' }],
  });
  assert.equal(routeName(table, { scheme: 'http' }), 'require_tls');
  assert.equal(routeName(table, { scheme: 'https' }), 'web');
});

test('refuses a TLS requirement it does not know instead of dropping it', () => {
  const config = parseTable({ name: 'test', virtual_hosts: [{ name: 'a', domains: ['*'], routes: [to('web')] }] });
  const [host] = config.virtualHosts ?? [];
  const issues: Issue[] = [];
  // An enum value from a later version arrives as a number.
  const later = { ...config, virtualHosts: [{ ...host, requireTls: 7 as unknown as 'ALL' }] };
  compileRouteTable(later, sampleContext, { issues, path: '' });
  assert.deepEqual(
    issues.map((issue) => `${issue.code} ${issue.path}`),
    ['WEFT0346 virtual_hosts[0].require_tls'],
  );
});
