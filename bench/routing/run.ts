// What finding a route and picking a host costs: `node bench/routing/run.ts`. Prints nanoseconds of CPU time per operation.

import { Headers } from '@weft/lib/header';
import { anyRequest, SampleClusters, staticCluster } from '../../test/kit/clusters.ts';
import { makeTable, type RequestFields, request, to } from '../../test/kit/routes.ts';

const operations = 1_000_000;
const rounds = 5;

// The median of some rounds: the first ones are still being compiled.
function measure(name: string, operate: () => unknown): void {
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const before = process.cpuUsage();
    for (let i = 0; i < operations; i++) operate();
    const used = process.cpuUsage(before);
    times.push(((used.user + used.system) * 1000) / operations);
  }
  times.sort((a, b) => a - b);
  console.log(`${name.padEnd(44)}${(times[Math.floor(rounds / 2)] ?? 0).toFixed(0).padStart(6)} ns`);
}

const jason = [{ name: 'end-user', string_match: { exact: 'jason' } }];
const routes = [
  to('exact', { path: '/health' }),
  to('header', { prefix: '/', headers: jason }),
  to('regex', { safe_regex: { regex: '/v[0-9]+/.*' } }),
  to('automaton', { safe_regex: { regex: '/(?:a|b)+/(?:c|d)*' } }),
  to('prefix', { prefix: '/api/' }),
  {
    match: { prefix: '/split' },
    route: {
      weighted_clusters: {
        clusters: [
          { name: 'v1', weight: 90 },
          { name: 'v2', weight: 10 },
        ],
      },
    },
  },
];
const hosts = Array.from({ length: 5000 }, (_, i) => ({
  name: `host-${i}`,
  domains: [`host-${i}.test`, `host-${i}.test:8080`],
  routes,
}));
const table = makeTable({
  name: 'bench',
  virtual_hosts: [...hosts, { name: 'wild', domains: ['*.wild.test'], routes: [to('wild')] }],
});

function measureMatch(name: string, fields: RequestFields): void {
  const headers = Headers.of('accept', '*/*', 'user-agent', 'bench', 'end-user', 'other');
  const sent = request({ authority: 'host-77.test', headers, ...fields });
  measure(`match: ${name}`, () => table.match(sent));
}

measureMatch('exact path, first of the routes', { path: '/health' });
measureMatch('regular expression, third', { path: '/v12/items?id=1' });
measureMatch('prefix, behind two regular expressions', { path: '/api/items?id=1' });
measureMatch('weighted clusters, last', { path: '/split/x' });
measureMatch('wildcard among 5,000 hosts', { authority: 'one.wild.test' });

for (const policy of ['ROUND_ROBIN', 'LEAST_REQUEST', 'RANDOM', 'RING_HASH', 'MAGLEV']) {
  const clusters = new SampleClusters();
  clusters.put(
    staticCluster(
      'web',
      Array.from({ length: 10 }, (_, i) => `10.0.0.${i + 1}:80`),
      { lb_policy: policy },
    ),
  );
  const web = clusters.get('web');
  let hash = 0;
  const context = {
    ...anyRequest,
    get hash(): number {
      return (hash = (hash + 0x9e37_79b9) >>> 0);
    },
  };
  measure(`pick: ${policy}`, () => web.pick(context));
}
