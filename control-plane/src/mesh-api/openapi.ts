// OpenAPI v3 of every group version, made from the schemas: what kubectl explains, validates by and patches by.

import { createHash } from 'node:crypto';
import { apiVersionOf, type KindInfo, kinds } from '@weft/api/resource/kind';
import { z } from 'zod';
import { apiGroups, versionsOf } from './discovery.ts';
import { jsonReply } from './reply.ts';
import type { Route } from './route.ts';

/** `/openapi/v3` and one document for each group version. */
export function openApiRoutes(version: string): readonly Route[] {
  const documents = new Map<string, Lazy>();
  for (const group of apiGroups()) {
    for (const each of versionsOf(group))
      documents.set(group === '' ? `api/${each}` : `apis/${group}/${each}`, new Lazy(group, each, version));
  }
  const index = () => ({
    paths: Object.fromEntries(
      [...documents].map(([path, document]) => [
        path,
        { serverRelativeURL: `/openapi/v3/${path}?hash=${document.hash}` },
      ]),
    ),
  });
  return [
    {
      method: 'GET',
      path: '/openapi/v2',
      handle: () => ({ status: 200, body: emptyV2Document(version), headers: { 'content-type': v2Type } }),
    },
    { method: 'GET', path: '/openapi/v3', handle: () => jsonReply(200, index()) },
    ...[...documents].map(
      ([path, document]): Route => ({
        method: 'GET',
        path: `/openapi/v3/${path}`,
        handle: () => jsonReply(200, document.value),
      }),
    ),
  ];
}

const v2Type = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';

/**
 * kubectl asks for version 2, in protobuf, when version 3 has not told of a kind, and takes a kind it does not find there for one that
 * it cannot check. An empty document is all that is needed: swagger = 1, info = 2 { title = 1, version = 2 }, paths = 8.
 */
function emptyV2Document(version: string): Buffer {
  const field = (tag: number, content: Buffer) => Buffer.concat([Buffer.from([tag, content.length]), content]);
  const info = Buffer.concat([field(0x0a, Buffer.from('Weft')), field(0x12, Buffer.from(version.slice(0, 100)))]);
  return Buffer.concat([field(0x0a, Buffer.from('2.0')), field(0x12, info), field(0x42, Buffer.alloc(0))]);
}

/** Made on first use: most runs never need it. */
class Lazy {
  private made: { readonly value: object; readonly hash: string } | null = null;
  private readonly group: string;
  private readonly groupVersion: string;
  private readonly version: string;

  constructor(group: string, groupVersion: string, version: string) {
    this.group = group;
    this.groupVersion = groupVersion;
    this.version = version;
  }

  get value(): object {
    return this.obtain().value;
  }

  get hash(): string {
    return this.obtain().hash;
  }

  private obtain(): { readonly value: object; readonly hash: string } {
    if (this.made !== null) return this.made;
    const value = openApiDocument(this.group, this.groupVersion, this.version);
    const hash = createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 32).toUpperCase();
    this.made = { value, hash };
    return this.made;
  }
}

function openApiDocument(group: string, version: string, weftVersion: string): object {
  const served = kinds.filter((info) => info.group === group && info.versions.includes(version));
  return {
    openapi: '3.0.0',
    info: { title: 'Weft', version: weftVersion },
    paths: Object.fromEntries(served.flatMap((info) => pathsOf(info, version))),
    components: {
      schemas: Object.fromEntries(served.map((info) => [schemaName(info, version), schemaOf(info, version)])),
    },
  };
}

function schemaName(info: KindInfo, version: string): string {
  const group = info.group === '' ? 'io.k8s.api.core' : info.group.split('.').reverse().join('.');
  return `${group}.${version}.${info.kind}`;
}

function schemaOf(info: KindInfo, version: string): object {
  const schema = z.toJSONSchema(info.schema, { target: 'openapi-3.0', io: 'input', unrepresentable: 'any' });
  return { ...schema, 'x-kubernetes-group-version-kind': [kindReference(info, version)] };
}

function kindReference(info: KindInfo, version: string): object {
  return { group: info.group, kind: info.kind, version };
}

const query = (name: string) => ({ name, in: 'query', schema: { type: 'string', uniqueItems: true } });

function pathsOf(info: KindInfo, version: string): readonly (readonly [string, object])[] {
  const root = info.group === '' ? `/api/${version}` : `/apis/${apiVersionOf(info, version)}`;
  const collection = `${root}${info.namespaced ? '/namespaces/{namespace}' : ''}/${info.plural}`;
  const operation = (action: string, parameters: readonly object[], mediaTypes: readonly string[]) => ({
    parameters,
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': kindReference(info, version),
    ...(mediaTypes.length === 0
      ? {}
      : { requestBody: { content: Object.fromEntries(mediaTypes.map((type) => [type, { schema: reference }])) } }),
    responses: { '200': { description: 'OK', content: { 'application/json': { schema: reference } } } },
  });
  const reference = { $ref: `#/components/schemas/${schemaName(info, version)}` };
  const writing = [query('dryRun'), query('fieldManager'), query('fieldValidation')];
  const patches = ['application/merge-patch+json', 'application/json-patch+json', 'application/apply-patch+yaml'];
  return [
    [
      collection,
      {
        get: operation('list', [query('labelSelector'), query('fieldSelector')], []),
        post: operation('post', writing, ['application/json']),
      },
    ],
    [
      `${collection}/{name}`,
      {
        get: operation('get', [], []),
        put: operation('put', writing, ['application/json']),
        patch: operation(
          'patch',
          [...writing, query('force')],
          info.group === '' ? [...patches, 'application/strategic-merge-patch+json'] : patches,
        ),
        delete: operation('delete', [query('dryRun')], []),
      },
    ],
  ];
}
