import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Headers } from '@weft/lib/header';
import type { Issue } from '@weft/lib/issue';
import { Scope } from '@weft/lib/metrics';
import { packAny } from '@weft/lib/protobuf/codec';
import { CONTINUE } from '../../../proxy/src/http-filter/filter.ts';
import type { Stream } from '../../../proxy/src/stream/stream.ts';
import { compileSample, sampleType } from './config.ts';

function compile(header: string) {
  const issues: Issue[] = [];
  const context = { issues, path: 'http_filters[0]', scope: new Scope({ prefix: 'http' }) };
  return { filter: compileSample(packAny(sampleType, { header }), 'sample', context), issues, scope: context.scope };
}

describe('the sample filter', () => {
  it('marks each request once and counts it', () => {
    const { filter, scope } = compile('x-sample');
    const requestHeaders = Headers.of('x-sample', 'forged');
    const stream = { requestHeaders } as unknown as Stream;
    assert.equal(filter?.onRequestHead(stream, true), CONTINUE);
    assert.deepEqual(requestHeaders.entries(), [['x-sample', 'yes']]);
    assert.equal(scope.counter('sample.marked').value, 1);
  });

  it('refuses a header that is none', () => {
    const { filter, issues } = compile('Not A Header');
    assert.equal(filter, null);
    assert.deepEqual(
      issues.map((issue) => issue.path),
      ['http_filters[0].header'],
    );
  });
});
