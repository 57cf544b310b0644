import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Protocol, portProtocol, protocolOf } from './protocol.ts';

test('appProtocol wins over the prefix of the name, and no declaration means detection', () => {
  const cases: [string | undefined, string | undefined, string | undefined, Protocol][] = [
    ['http', undefined, undefined, 'http'],
    ['http-admin', undefined, 'TCP', 'http'],
    ['http2-x', undefined, undefined, 'http2'],
    ['grpc', undefined, undefined, 'grpc'],
    ['grpc-web-x', undefined, undefined, 'grpc-web'],
    ['tcp-db', undefined, undefined, 'tcp'],
    ['https', undefined, undefined, 'https'],
    ['tls-x', undefined, undefined, 'tls'],
    ['redis', undefined, undefined, 'redis'],
    ['tcp', 'http', undefined, 'http'],
    ['http', 'kubernetes.io/h2c', undefined, 'http2'],
    ['http', 'example.com/own', undefined, 'auto'],
    ['web', undefined, undefined, 'auto'],
    ['httpx', undefined, undefined, 'auto'],
    [undefined, undefined, undefined, 'auto'],
    ['http', undefined, 'UDP', 'udp'],
  ];
  for (const [name, app, transport, expected] of cases) {
    assert.equal(portProtocol(name, app, transport), expected, `${name} ${app} ${transport}`);
  }
});

test('words of Istio are read without regard to case', () => {
  assert.equal(protocolOf('HTTP'), 'http');
  assert.equal(protocolOf('Mongo'), 'mongo');
});
