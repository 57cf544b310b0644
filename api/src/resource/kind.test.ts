// The list of kinds: consistent in itself, and found by every name people use.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { z } from 'zod';
import { apiVersionOf, findKind, findKindByName, kindInfo, kinds } from './kind.ts';

describe('The list of kinds', () => {
  it('has each identity once', () => {
    for (const key of ['id', 'plural', 'singular'] as const) {
      const values = kinds.map((info) => info[key]);
      assert.equal(new Set(values).size, values.length, key);
    }
    const shortNames = kinds.flatMap((info) => info.shortNames);
    assert.equal(new Set(shortNames).size, shortNames.length);
  });

  it('stores a version that its schema takes, and serves what it takes', () => {
    for (const info of kinds) {
      for (const version of info.versions) {
        const apiVersion = apiVersionOf(info, version);
        const { error } = info.schema.safeParse({ apiVersion, kind: info.kind, metadata: {} });
        const paths = (error?.issues ?? []).map((issue) => issue.path.join('.'));
        assert.ok(!paths.includes('apiVersion') && !paths.includes('kind'), `${info.id} ${apiVersion}`);
        assert.equal(findKind(apiVersion, info.kind), info);
      }
    }
  });

  it('finds a kind by plural, singular, short name, group and kind', () => {
    const info = kindInfo('VirtualService');
    const names = ['vs', 'virtualservice', 'virtualservices', 'VirtualService', 'virtualservices.networking.istio.io'];
    for (const name of names) assert.equal(findKindByName(name), info, name);
    assert.equal(findKindByName('virtualservices.security.istio.io'), null);
    assert.equal(findKindByName('pods'), null);
    assert.equal(findKind('networking.istio.io/v2', 'VirtualService'), null);
    assert.equal(findKind('v1', 'VirtualService'), null);
  });

  it('makes a JSON schema of every kind, strict throughout', () => {
    for (const info of kinds) {
      const schema = z.toJSONSchema(info.schema, { target: 'openapi-3.0', io: 'input' });
      assert.equal(schema.additionalProperties, false, info.id);
      assert.ok(schema.properties?.metadata, info.id);
    }
  });
});
