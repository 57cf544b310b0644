import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Bench } from '../test-bench.ts';

const service = (name: string, port = 80): string =>
  `apiVersion: v1\nkind: Service\nmetadata: { name: ${name} }\nspec: { ports: [{ name: http, port: ${port} }], selector: { app: ${name} } }\n`;

describe('weft apply', () => {
  it('creates, changes and leaves alone, and says which', async (context) => {
    const bench = await Bench.make(context);
    const file = bench.write('a.yaml', `${service('a')}---\n${service('b')}`);
    assert.deepEqual(await bench.run('apply', '-f', file), {
      status: 0,
      out: 'service/a created\nservice/b created\n',
      err: '',
    });
    bench.write('a.yaml', `${service('a')}---\n${service('b', 81)}`);
    assert.deepEqual((await bench.run('apply', '-f', file)).out, 'service/a unchanged\nservice/b configured\n');
    const spec = bench.api.get('Service', 'default', 'b')?.spec as { ports: unknown[] } | undefined;
    assert.deepEqual(spec?.ports, [{ name: 'http', port: 81 }]);
  });

  it('tells the mesh API the file and line of each document', async (context) => {
    const bench = await Bench.make(context);
    bench.write('a.yaml', `# words\n\n---\n${service('a')}---\n${service('b')}`);
    await bench.run('apply', '-f', 'a.yaml');
    const path = encodeURIComponent(`${bench.folder}/a.yaml`);
    assert.deepEqual(
      bench.api.sources.filter((source) => source !== ''),
      [`${path}:4`, `${path}:9`, `${path}:4`, `${path}:9`],
    );
  });

  it('applies the items of a List', async (context) => {
    const bench = await Bench.make(context);
    const items = ['a', 'b'].map((name) => ({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name },
      spec: { ports: [{ port: 80 }], selector: { app: name } },
    }));
    bench.write('list.json', JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
    assert.equal((await bench.run('apply', '-f', 'list.json')).out, 'service/a created\nservice/b created\n');
  });

  it('writes nothing when one file has an error, naming file and line of each', async (context) => {
    const bench = await Bench.make(context);
    bench.write('good.yaml', service('a'));
    bench.write(
      'bad.yaml',
      `${service('b')}---\napiVersion: v1\nkind: Service\nmetadata: { name: c }\nspec:\n  prots: []\n`,
    );
    const { status, out, err } = await bench.run('apply', '-f', 'good.yaml', '-f', 'bad.yaml');
    assert.equal(status, 1);
    assert.equal(out, '');
    assert.match(err, /^bad\.yaml:10: error WEFT\d{4} Service\/default\/c spec\.prots: /m);
    assert.match(err, /nothing was changed \(2 errors\)/);
    assert.deepEqual(bench.api.requests, []);
  });

  it('tells a warning once that the file and the mesh API both give', async (context) => {
    const bench = await Bench.make(context);
    const rule = 'http: [{ fault: { abort: { percent: 5, httpStatus: 500 } }, route: [{ destination: { host: a } }] }]';
    bench.write(
      'a.yaml',
      `apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: a }\nspec:\n  hosts: [a]\n  ${rule}\n`,
    );
    const dryRun = await bench.run('apply', '-f', 'a.yaml', '--dry-run');
    const warning = dryRun.err.trim();
    assert.match(warning, /^a\.yaml:6: warning WEFT0417 [^\n]+$/);
    bench.api.replies.set('POST /apis/networking.istio.io/v1/namespaces/default/virtualservices', () => ({
      status: 201,
      warning: `299 - "${bench.folder}/${warning.replace('warning ', '')}", 299 - "WEFT0499 another"`,
      body: {},
    }));
    const { status, err } = await bench.run('apply', '-f', 'a.yaml');
    assert.equal(status, 0);
    assert.equal(err, `${warning}\nwarning WEFT0499 another\n`);
  });

  it('refuses text that is not UTF-8 with its line, and what is no file in a folder', async (context) => {
    const bench = await Bench.make(context);
    writeFileSync(join(bench.folder, 'a.yaml'), Buffer.from(`# 1\n# \xff\n${service('a')}`, 'latin1'));
    const { status, err } = await bench.run('apply', '-f', 'a.yaml');
    assert.equal(status, 1);
    assert.match(err, /^a\.yaml:2: error WEFT0420: The text is not UTF-8/);
    mkdirSync(join(bench.folder, 'rules/folder.yaml'), { recursive: true });
    execFileSync('mkfifo', [join(bench.folder, 'rules/pipe.yaml')]);
    const other = await bench.run('apply', '-f', 'rules');
    assert.match(other.err, /WEFT0819.* rules\/pipe\.yaml cannot be read: it is a named pipe/s);
    assert.deepEqual(bench.api.requests, []);
  });

  it('writes nothing when the mesh API refuses one of them', async (context) => {
    const bench = await Bench.make(context);
    bench.write('a.yaml', service('a'));
    const issue = {
      code: 'WEFT0499',
      level: 'error',
      message: 'No.',
      origin: { kind: 'Service', namespace: 'default', name: 'a', file: 'a.yaml', line: 1 },
    };
    bench.api.replies.set('POST /api/v1/namespaces/default/services', () => ({
      status: 422,
      body: { message: 'invalid', issues: [issue] },
    }));
    const { status, err } = await bench.run('apply', '-f', 'a.yaml');
    assert.equal(status, 1);
    assert.match(err, /a\.yaml:1: error WEFT0499 Service\/default\/a: No\./);
    assert.equal(bench.api.get('Service', 'default', 'a'), null);
  });

  it('refuses a resource that is given twice', async (context) => {
    const bench = await Bench.make(context);
    bench.write('a.yaml', `${service('a')}---\n${service('a')}`);
    assert.match((await bench.run('apply', '-f', 'a.yaml')).err, /a\.yaml:6: error WEFT0820 .*at a\.yaml:1 too/);
  });

  it('writes routes after what they point at, whatever the order of the files', async (context) => {
    const bench = await Bench.make(context);
    const spec = '{ hosts: [a], http: [{ route: [{ destination: { host: a, subset: v1 } }] }] }';
    const route = `apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: a }\nspec: ${spec}\n`;
    const rules =
      'apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: { name: a }\nspec: { host: a, subsets: [{ name: v1, labels: { v: v1 } }] }\n';
    bench.write('a.yaml', `${route}---\n${rules}`);
    assert.equal(
      (await bench.run('apply', '-f', 'a.yaml')).out,
      'destinationrule/a created\nvirtualservice/a created\n',
    );
  });

  it('only checks with --dry-run', async (context) => {
    const bench = await Bench.make(context);
    bench.write('a.yaml', service('a'));
    assert.equal((await bench.run('apply', '-f', 'a.yaml', '--dry-run')).out, 'service/a created (dry run)\n');
    assert.equal(bench.api.get('Service', 'default', 'a'), null);
  });

  it('says what is wrong with a path', async (context) => {
    const bench = await Bench.make(context);
    assert.match((await bench.run('apply', '-f', 'none.yaml')).err, /WEFT0819: none\.yaml cannot be read/);
    assert.match((await bench.run('apply', '-f', '.')).err, /WEFT0819: \. holds no \.yaml/);
    bench.write('empty.yaml', '# nothing\n');
    assert.match((await bench.run('apply', '-f', 'empty.yaml')).err, /WEFT0821/);
  });
});

describe('weft get', () => {
  it('lists as a table, as names, as YAML and as JSON', async (context) => {
    const bench = await Bench.make(context);
    bench.write('a.yaml', service('a'));
    await bench.run('apply', '-f', 'a.yaml');
    assert.match((await bench.run('get', 'svc')).out, /^NAMESPACE +NAME +TYPE +PORT\(S\) +AGE\ndefault +a +80\n$/);
    assert.equal((await bench.run('get', 'services', '-o', 'name')).out, 'service/a\n');
    assert.equal(JSON.parse((await bench.run('get', 'service', 'a', '-o', 'json')).out).metadata.name, 'a');
    assert.match((await bench.run('get', 'service', 'a', '-o', 'yaml')).out, /^apiVersion: v1\nkind: Service\n/);
    assert.equal(JSON.parse((await bench.run('get', 'svc,vs', '-o', 'json')).out).kind, 'List');
    assert.equal((await bench.run('get', 'all', 'a', '-o', 'name')).out, 'service/a\n');
    assert.equal((await bench.run('get', 'service/a', '-o', 'name')).out, 'service/a\n');
    assert.equal((await bench.run('get', 'service/a', 'b')).status, 2);
    assert.equal((await bench.run('get', 'service/')).status, 2);
    assert.match(
      (await bench.run('get', 'vs,dr', 'a')).err,
      /there is no virtualservice or destinationrule a in namespace default; weft get virtualservices,destinationrules lists/,
    );
  });

  it('says so when there is nothing, or no such kind', async (context) => {
    const bench = await Bench.make(context);
    assert.deepEqual(await bench.run('get', 'vs'), { status: 0, out: '', err: 'nothing found\n' });
    assert.match(
      (await bench.run('get', 'vs', 'none')).err,
      /WEFT0816: there is no virtualservice none in namespace default/,
    );
    assert.match((await bench.run('get', 'pizza')).err, /WEFT0809: there is no kind pizza; kinds are namespace, /);
  });
});

describe('weft delete', () => {
  it('removes by kind and name, by kind/name and by file', async (context) => {
    const bench = await Bench.make(context);
    bench.write('all.yaml', ['a', 'b', 'c'].map((name) => service(name)).join('---\n'));
    await bench.run('apply', '-f', 'all.yaml');
    assert.equal((await bench.run('delete', 'service', 'a')).out, 'service/a deleted\n');
    assert.equal((await bench.run('delete', 'svc/b')).out, 'service/b deleted\n');
    const last = await bench.run('delete', '-f', 'all.yaml');
    assert.equal(last.status, 1);
    assert.equal(last.out, 'service/c deleted\n');
    assert.match(last.err, /there is no service b in namespace default/);
    assert.equal((await bench.run('delete', 'svc', 'c', '--ignore-not-found')).status, 0);
  });
});

describe('weft diff', () => {
  it('shows what apply would change', async (context) => {
    const bench = await Bench.make(context);
    bench.write('a.yaml', service('a'));
    await bench.run('apply', '-f', 'a.yaml');
    assert.deepEqual(await bench.run('diff', '-f', 'a.yaml'), { status: 0, out: '', err: '' });
    bench.write('a.yaml', `${service('a', 81)}---\n${service('b')}`);
    const { status, out } = await bench.run('diff', '-f', 'a.yaml');
    assert.equal(status, 1);
    assert.match(out, /service\/a\n[\s\S]*- {6}port: 80\n\+ {6}port: 81\n/);
    assert.match(out, /service\/b \(new\)/);
  });
});

describe('weft analyze', () => {
  const example = (path: string): string =>
    fileURLToPath(new URL(`../../../examples/bookinfo/${path}`, import.meta.url));

  it('has nothing to say about the example', async (context) => {
    const bench = await Bench.make(context);
    const { status, err } = await bench.run(
      'analyze',
      example(''),
      example('networking/destination-rule-all.yaml'),
      example('networking/virtual-service-all-v1.yaml'),
    );
    assert.equal(err, '');
    assert.equal(status, 0);
  });

  it('finds what is missing across files, with file and line', async (context) => {
    const bench = await Bench.make(context);
    const { status, err } = await bench.run(
      'analyze',
      example('services.yaml'),
      example('networking/virtual-service-reviews-v3.yaml'),
    );
    assert.equal(status, 1);
    assert.match(
      err,
      /virtual-service-reviews-v3\.yaml:\d+: error WEFT\d{4} VirtualService\/default\/reviews .*subset/,
    );
  });

  it('finds a broken file with its line', async (context) => {
    const bench = await Bench.make(context);
    bench.write('a.yaml', 'kind: Service\n  bad: [\n');
    assert.match((await bench.run('analyze', 'a.yaml')).err, /^a\.yaml:\d: error WEFT/);
  });

  it('shows what the running mesh finds', async (context) => {
    const bench = await Bench.make(context);
    bench.api.replies.set('GET /weft/v1/issues', () => ({
      status: 200,
      body: { issues: [{ code: 'WEFT0499', level: 'warning', message: 'Hm.' }] },
    }));
    assert.deepEqual(await bench.run('analyze'), { status: 0, out: '1 warning\n', err: 'warning WEFT0499: Hm.\n' });
    assert.equal(JSON.parse((await bench.run('analyze', '-o', 'json')).out)[0].code, 'WEFT0499');
  });
});

describe('the routing files of the example', () => {
  const root = fileURLToPath(new URL('../../../examples/bookinfo', import.meta.url));
  const files = readdirSync(`${root}/networking`).filter((file) => file !== 'destination-rule-all.yaml');

  for (const file of files) {
    it(`fit the example: ${file}`, async (context) => {
      const bench = await Bench.make(context);
      const rules = `${root}/networking/destination-rule-all.yaml`;
      assert.deepEqual(await bench.run('analyze', root, rules, `${root}/networking/${file}`), {
        status: 0,
        out: 'no findings\n',
        err: '',
      });
    });
  }
});
