import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readRequest, readResponse, readTrailers } from './header-rules.ts';

type Field = readonly [name: string, value: string];

const get: readonly Field[] = [
  [':method', 'GET'],
  [':scheme', 'https'],
  [':path', '/'],
  [':authority', 'a.example'],
];

function request(fields: readonly Field[]) {
  return readRequest(
    fields.map(([name]) => name),
    fields.map(([, value]) => value),
  );
}

function without(name: string): readonly Field[] {
  return get.filter(([one]) => one !== name);
}

function replaced(name: string, value: string): readonly Field[] {
  return get.map((field) => (field[0] === name ? [name, value] : field));
}

const connect: readonly Field[] = [
  [':method', 'CONNECT'],
  [':authority', 'a.example:443'],
];
const extended: readonly Field[] = [...replaced(':method', 'CONNECT'), [':protocol', 'websocket']];

const malformed: readonly (readonly [name: string, fields: readonly Field[]])[] = [
  ['no method', without(':method')],
  ['no scheme', without(':scheme')],
  ['no path', without(':path')],
  ['an empty path', replaced(':path', '')],
  ['a path that does not begin with a slash', replaced(':path', 'a')],
  ['a path with a space', replaced(':path', '/a b')],
  ['a path with a control byte', replaced(':path', '/\x7f')],
  ['a path of bytes beyond ASCII', replaced(':path', '/\xe9')],
  ['an asterisk for another method than OPTIONS', replaced(':path', '*')],
  ['an empty method', replaced(':method', '')],
  ['a method that is no token', replaced(':method', 'GE T')],
  ['a scheme that is no scheme', replaced(':scheme', 'ht tp')],
  ['an empty scheme', replaced(':scheme', '')],
  ['user information in the authority', replaced(':authority', 'me@a.example')],
  ['an authority with a slash', replaced(':authority', 'a/b')],
  ['a port that is none', replaced(':authority', 'a:port')],
  ['an authority other than Host', [...get, ['host', 'b.example']]],
  ['an empty authority beside Host', [...replaced(':authority', ''), ['host', 'b.example']]],
  ['two Hosts', [...without(':authority'), ['host', 'a'], ['host', 'a']]],
  ['an unknown pseudo field', [...get, [':other', 'x']]],
  ["a response's pseudo field", [...get, [':status', '200']]],
  ['a pseudo field twice', [...get, [':path', '/']]],
  ['a pseudo field behind a regular one', [...without(':path'), ['a', 'b'], [':path', '/']]],
  ['an upper-case name', [...get, ['Accept', '*/*']]],
  ['an empty name', [...get, ['', 'x']]],
  ['a name with a space', [...get, ['a b', 'x']]],
  ['a name with a colon', [...get, ['a:b', 'x']]],
  ['a name with a byte beyond ASCII', [...get, ['caf\xe9', 'x']]],
  ['NUL in a value', [...get, ['a', 'b\0c']]],
  ['CR in a value', [...get, ['a', 'b\rc']]],
  ['LF in a value', [...get, ['a', 'b\nx: y']]],
  ['a value that begins with a space', [...get, ['a', ' b']]],
  ['a value that ends with a tab', [...get, ['a', 'b\t']]],
  ...['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade'].map(
    (name): [string, readonly Field[]] => [name, [...get, [name, 'x']]],
  ),
  ['TE other than trailers', [...get, ['te', 'trailers, deflate']]],
  ['two lengths', [...get, ['content-length', '1'], ['content-length', '1']]],
  ['a length that is no number', [...get, ['content-length', '+1']]],
  ['a length past 2^53', [...get, ['content-length', '9007199254740993']]],
  ['CONNECT without an authority', connect.slice(0, 1)],
  ['CONNECT with a scheme', [...connect, [':scheme', 'https']]],
  ['CONNECT with a path', [...connect, [':path', '/']]],
  ['CONNECT with a length', [...connect, ['content-length', '1']]],
  ['a protocol without CONNECT', [...get, [':protocol', 'websocket']]],
  ['an extended CONNECT without a path', extended.filter(([name]) => name !== ':path')],
  ['an extended CONNECT without an authority', extended.filter(([name]) => name !== ':authority')],
];

describe('a request is malformed with', () => {
  for (const [name, fields] of malformed) test(name, () => assert.equal(request(fields), null));
});

describe('a request is well-formed', () => {
  test('with Host in place of the authority, which is left out of the fields', () => {
    const head = request([...without(':authority'), ['host', 'A.example'], ['accept', '*/*']]);
    assert.equal(head?.authority, 'A.example');
    assert.deepEqual(head?.block.names, ['accept']);
  });

  test('with Host equal to the authority but for case', () => {
    assert.equal(request([...get, ['host', 'A.EXAMPLE']])?.authority, 'a.example');
  });

  test('with a scheme of mixed case, which is lowered', () => {
    assert.equal(request(replaced(':scheme', 'HTTPS'))?.scheme, 'https');
  });

  test('as CONNECT, as extended CONNECT, as OPTIONS *', () => {
    assert.equal(request(connect)?.authority, 'a.example:443');
    assert.equal(request(extended)?.protocol, 'websocket');
    assert.equal(
      request([...replaced(':path', '*').filter(([name]) => name !== ':method'), [':method', 'OPTIONS']])?.path,
      '*',
    );
  });

  test('with empty values, tabs and bytes beyond ASCII inside values, and IPv6 authorities', () => {
    const head = request([...replaced(':authority', '[::1]:80'), ['a', ''], ['b', 'x\ty \xff']]);
    assert.deepEqual(head?.block.values, ['', 'x\ty \xff']);
    assert.equal(head?.authority, '[::1]:80');
  });

  test('with crumbs of a cookie, which are joined where the first stands', () => {
    const head = request([...get, ['cookie', 'a=1'], ['x', 'y'], ['cookie', 'b=2'], ['cookie', 'c=3']]);
    assert.deepEqual(head?.block.names, ['cookie', 'x']);
    assert.equal(head?.block.values[0], 'a=1; b=2; c=3');
  });
});

describe('a response', () => {
  const read = (fields: readonly Field[]) =>
    readResponse(
      fields.map(([name]) => name),
      fields.map(([, value]) => value),
    );

  test('has one status of three digits, first', () => {
    assert.equal(
      read([
        [':status', '204'],
        ['a', 'b'],
      ])?.status,
      204,
    );
    for (const status of ['', '20', '2000', '099', 'abc', '101', '+20'])
      assert.equal(read([[':status', status]]), null, status);
    assert.equal(read([]), null);
    assert.equal(
      read([
        [':status', '200'],
        [':status', '200'],
      ]),
      null,
    );
    assert.equal(
      read([
        [':status', '200'],
        [':path', '/'],
      ]),
      null,
    );
    assert.equal(
      read([
        ['a', 'b'],
        [':status', '200'],
      ]),
      null,
    );
  });

  test('keeps each Set-Cookie apart', () => {
    const head = read([
      [':status', '200'],
      ['set-cookie', 'a=1'],
      ['set-cookie', 'b=2'],
    ]);
    assert.deepEqual(head?.block.values, ['a=1', 'b=2']);
  });
});

describe('trailers', () => {
  const read = (fields: readonly Field[]) =>
    readTrailers(
      fields.map(([name]) => name),
      fields.map(([, value]) => value),
    );

  test('have no pseudo fields and no connection fields', () => {
    assert.equal(read([[':path', '/']]), null);
    assert.equal(read([['connection', 'close']]), null);
    assert.equal(read([['host', 'a']]), null);
  });

  test('lose what only a head may say', () => {
    assert.deepEqual(
      read([
        ['grpc-status', '0'],
        ['content-length', '3'],
        ['authorization', 'x'],
      ])?.names,
      ['grpc-status'],
    );
  });
});
