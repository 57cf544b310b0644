import assert from 'node:assert/strict';
import { readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { envoy } from '@weft/api/xds/types';
import { PausedClock } from '@weft/lib/clock';
import { Headers } from '@weft/lib/header';
import type { Issue } from '@weft/lib/issue';
import { messageFromJson } from '@weft/lib/protobuf/codec';
import { temporaryFolder } from '../../../test/kit/folder.ts';
import { fakeView } from '../../../test/kit/logged-view.ts';
import { fault } from '../fault/fault.ts';
import { type AccessLogContext, compileAccessLog } from './access-log.ts';
import { AccessLogSinks } from './access-log-sinks.ts';
import type { LoggedView } from './view.ts';

type AccessLogConfig = envoy.config.accesslog.v3.AccessLog;
type HeaderMatcher = envoy.config.route.v3.HeaderMatcher;

const fileType = 'type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog';

function configOf(json: unknown): AccessLogConfig {
  const issues: Issue[] = [];
  const config = messageFromJson('envoy.config.accesslog.v3.AccessLog', json, issues);
  assert.deepEqual(issues, []);
  return config;
}

function fileConfig(path: string, rest: object = {}, filter?: object): AccessLogConfig {
  return configOf({
    name: 'envoy.access_loggers.file',
    ...(filter === undefined ? {} : { filter }),
    typed_config: { '@type': fileType, path, ...rest },
  });
}

function fixture(context: TestContext) {
  const folder = temporaryFolder(context);
  const clock = new PausedClock();
  const sinks = new AccessLogSinks(clock);
  context.after(() => sinks.close());
  const compileContext: AccessLogContext & { random: () => number } = {
    sinks,
    random: () => 0.5,
    compileHeaderMatcher: (matcher: HeaderMatcher) => (headers) => headers.has(matcher.name ?? ''),
  };
  const issues: Issue[] = [];
  const compile = (...configs: AccessLogConfig[]) => compileAccessLog(configs, issues, 'access_log', compileContext);
  return { folder, clock, sinks, issues, compile };
}

const short = { log_format: { text_format_source: { inline_string: '%RESPONSE_CODE% %REQ(:PATH)%\n' } } };

describe('access log', () => {
  it('writes one line per exchange in Envoy’s default format', async (context) => {
    const { folder, sinks, compile, issues } = fixture(context);
    const path = join(folder, 'access.log');
    const logger = compile(fileConfig(path));
    assert.deepEqual(issues, []);
    logger?.log(fakeView());
    logger?.log(fakeView({ status: 503, fault: fault.no_healthy_host }));
    await sinks.flush();
    const lines = readFileSync(path, 'utf8').split('\n');
    assert.equal(lines.length, 3);
    assert.match(lines[1] ?? '', /"GET \/reviews\/1\?full=yes HTTP\/1\.1" 503 UH 0 1024 12/);
  });

  it('writes JSON with typed values', async (context) => {
    const { folder, sinks, compile } = fixture(context);
    const path = join(folder, 'a.json');
    compile(
      fileConfig(path, {
        log_format: { json_format: { code: '%RESPONSE_CODE%', from: { agent: '%REQ(User-Agent)%' } } },
      }),
    )?.log(fakeView());
    await sinks.flush();
    assert.deepEqual(JSON.parse(readFileSync(path, 'utf8')), { code: 200, from: { agent: 'curl/8.0' } });
  });

  it('shares one writer between listeners that name the same file, until the last lets go', async (context) => {
    const { folder, sinks, compile } = fixture(context);
    const path = join(folder, 'shared.log');
    const first = compile(fileConfig(path, short));
    const second = compile(fileConfig(path, short));
    first?.log(fakeView());
    first?.close();
    second?.log(fakeView({ status: 404 }));
    await sinks.flush();
    assert.equal(readFileSync(path, 'utf8'), '200 /reviews/1?full=yes\n404 /reviews/1?full=yes\n');
    second?.close();
    second?.log(fakeView());
    await sinks.close();
    assert.equal(readFileSync(path, 'utf8').split('\n').length, 3, 'what is logged after the last close goes nowhere');
  });

  it('goes on in a new file after logrotate renamed the old one', async (context) => {
    const { folder, sinks, clock, compile } = fixture(context);
    const path = join(folder, 'r.log');
    const logger = compile(fileConfig(path, short));
    logger?.log(fakeView());
    await sinks.flush();
    renameSync(path, `${path}.1`);
    clock.advance(6000);
    logger?.log(fakeView({ status: 201 }));
    await sinks.flush();
    assert.equal(readFileSync(path, 'utf8'), '201 /reviews/1?full=yes\n');
    renameSync(path, `${path}.2`);
    sinks.reopen();
    logger?.log(fakeView({ status: 202 }));
    await sinks.flush();
    assert.equal(readFileSync(path, 'utf8'), '202 /reviews/1?full=yes\n');
  });

  it('is nothing when nothing is configured', (context) => {
    assert.equal(fixture(context).compile(), null);
  });
});

const grpc = { requestHeaders: Headers.of('content-type', 'application/grpc') };

const filters: readonly [name: string, filter: object, taken: Partial<LoggedView>, left: Partial<LoggedView>][] = [
  [
    'status',
    { status_code_filter: { comparison: { op: 'GE', value: { default_value: 400, runtime_key: 'k' } } } },
    { status: 400 },
    { status: 399 },
  ],
  [
    'duration',
    { duration_filter: { comparison: { op: 'LE', value: { default_value: 10, runtime_key: 'k' } } } },
    { endMs: 10.9 },
    { endMs: 11 },
  ],
  [
    'response flag',
    { response_flag_filter: { flags: ['UH', 'NR'] } },
    { fault: fault.no_route },
    { fault: fault.breaker_open },
  ],
  ['any response flag', { response_flag_filter: {} }, { extraFlags: 'DI' }, {}],
  [
    'header',
    { header_filter: { header: { name: 'x', present_match: true } } },
    { requestHeaders: Headers.of('x', '1') },
    {},
  ],
  [
    'gRPC status',
    { grpc_status_filter: { statuses: ['NOT_FOUND', 'CANCELED'] } },
    { ...grpc, responseTrailers: Headers.of('grpc-status', '1') },
    { ...grpc, responseTrailers: Headers.of('grpc-status', '0') },
  ],
  [
    'gRPC status of what is no gRPC, by its HTTP status,',
    { grpc_status_filter: { statuses: ['UNAVAILABLE', 'UNIMPLEMENTED'] } },
    { status: 503 },
    { status: 200 },
  ],
  [
    'gRPC status UNKNOWN where nothing came back',
    { grpc_status_filter: { statuses: ['UNKNOWN'] } },
    { status: 0 },
    { status: 404 },
  ],
  [
    'gRPC status but',
    { grpc_status_filter: { statuses: ['OK'], exclude: true } },
    { ...grpc, responseTrailers: Headers.of('grpc-status', '1') },
    { ...grpc, responseTrailers: Headers.of('grpc-status', '0') },
  ],
  [
    'and',
    {
      and_filter: {
        filters: [
          { response_flag_filter: {} },
          { status_code_filter: { comparison: { value: { default_value: 404, runtime_key: 'k' } } } },
        ],
      },
    },
    { fault: fault.no_route, status: 404 },
    { fault: fault.no_route, status: 503 },
  ],
  [
    'or',
    {
      or_filter: {
        filters: [
          { response_flag_filter: {} },
          { status_code_filter: { comparison: { value: { default_value: 404, runtime_key: 'k' } } } },
        ],
      },
    },
    { status: 404 },
    { status: 200 },
  ],
];

describe('access log filter', () => {
  for (const [name, filter, taken, left] of filters) {
    it(`by ${name} takes some and leaves others`, async (context) => {
      const { folder, sinks, compile, issues } = fixture(context);
      const path = join(folder, 'f.log');
      const logger = compile(fileConfig(path, short, filter));
      assert.deepEqual(issues, []);
      logger?.log(fakeView(left));
      await sinks.flush();
      assert.equal(readFileSync(path, 'utf8'), '');
      logger?.log(fakeView(taken));
      await sinks.flush();
      assert.notEqual(readFileSync(path, 'utf8'), '');
    });
  }

  it('by health check takes all, also what calls itself one', async (context) => {
    const { folder, sinks, compile, issues } = fixture(context);
    const path = join(folder, 'f.log');
    const logger = compile(fileConfig(path, short, { not_health_check_filter: {} }));
    assert.deepEqual(issues, []);
    logger?.log(fakeView({ requestHeaders: Headers.of('user-agent', 'Envoy/HC') }));
    await sinks.flush();
    assert.notEqual(readFileSync(path, 'utf8'), '');
  });

  it('by chance takes its share', async (context) => {
    const { folder, sinks, compile } = fixture(context);
    const path = join(folder, 'f.log');
    const half = (numerator: number) => ({
      runtime_filter: { runtime_key: 'k', percent_sampled: { numerator, denominator: 'TEN_THOUSAND' } },
    });
    compile(fileConfig(path, short, half(5000)))?.log(fakeView());
    await sinks.flush();
    assert.equal(readFileSync(path, 'utf8'), '');
    compile(fileConfig(path, short, half(5001)))?.log(fakeView());
    await sinks.flush();
    assert.notEqual(readFileSync(path, 'utf8'), '');
  });
});

describe('access log configuration', () => {
  const unknown = { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' };
  const bad: readonly [name: string, config: () => AccessLogConfig, code: string, path: string][] = [
    ['an unknown kind', () => configOf({ name: 'x', typed_config: unknown }), 'WEFT0203', 'access_log[0].typed_config'],
    ['no kind', () => configOf({ name: 'x' }), 'WEFT0203', 'access_log[0].typed_config'],
    ['no path', () => fileConfig(''), 'WEFT0205', 'access_log[0].typed_config.path'],
    ['a folder that is missing', () => fileConfig('/nonexistent/weft/a.log'), 'WEFT0208', 'access_log'],
    [
      'an unknown operator',
      () => fileConfig('/dev/stdout', { log_format: { json_format: { a: '%NOPE%' } } }),
      'WEFT0200',
      'access_log[0].typed_config.log_format.json_format.a',
    ],
    [
      'a format file that is missing',
      () => fileConfig('/dev/stdout', { log_format: { text_format_source: { filename: '/nonexistent' } } }),
      'WEFT0207',
      'access_log[0].typed_config.log_format.text_format_source.filename',
    ],
    [
      'an unknown filter',
      () => fileConfig('/dev/stdout', {}, { traceable_filter: {} }),
      'WEFT0202',
      'access_log[0].filter',
    ],
    [
      'an unknown flag',
      () => fileConfig('/dev/stdout', {}, { response_flag_filter: { flags: ['XX'] } }),
      'WEFT0202',
      'access_log[0].filter.response_flag_filter.flags',
    ],
    [
      'a lonely filter to combine',
      () => fileConfig('/dev/stdout', {}, { and_filter: { filters: [{ response_flag_filter: {} }] } }),
      'WEFT0202',
      'access_log[0].filter.and_filter.filters',
    ],
  ];
  for (const [name, config, code, path] of bad) {
    it(`with ${name} is refused by name`, (context) => {
      const { compile, issues, sinks } = fixture(context);
      assert.equal(compile(config()), null);
      assert.deepEqual(
        issues.map((issue) => [issue.code, issue.level, issue.path]),
        [[code, 'error', path]],
      );
      assert.equal(sinks.droppedLines, 0);
    });
  }

  it('reports every finding and leaves nothing open', (context) => {
    const { folder, compile, issues } = fixture(context);
    assert.equal(compile(fileConfig(join(folder, 'ok.log')), fileConfig(''), configOf({ name: 'x' })), null);
    assert.deepEqual(
      issues.map((issue) => issue.code),
      ['WEFT0205', 'WEFT0203'],
    );
  });
});
