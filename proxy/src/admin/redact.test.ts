import assert from 'node:assert/strict';
import { test } from 'node:test';
import { redactSecrets } from './redact.ts';

test('what a message of an unknown type holds is told by its size only, however deep it stands', () => {
  const known = { '@type': 'type.googleapis.com/google.protobuf.StringValue', value: 'shown' };
  const unknown = { '@type': 'type.googleapis.com/some.Unknown', value: Buffer.from('PRIVATE KEY').toString('base64') };
  assert.deepEqual(redactSecrets({ list: [{ typed_config: unknown }, known] }), {
    list: [{ typed_config: { '@type': unknown['@type'], unknown_message_bytes: 11 } }, known],
  });
});

test('tokens are hidden, and where they come from is not', () => {
  const credentials = [{ access_token: 'secret' }, { token: { filename: '/run/token' } }];
  assert.deepEqual(redactSecrets({ credentials }), {
    credentials: [{ access_token: '[redacted]' }, { token: { filename: '/run/token' } }],
  });
});
