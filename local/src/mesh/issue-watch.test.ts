import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Issue } from '@weft/lib/issue';
import { MeshApiClient } from '../mesh-api/client.ts';
import { FakeMeshApi } from '../mesh-api/fake-mesh-api.ts';
import { IssueWatch } from './issue-watch.ts';

const issue = (message: string): Issue => ({ code: 'WEFT0499', level: 'error', message });

it('tells a finding that stays once, a passing one never, and when it is mended', async (context) => {
  // What the mesh API answers, look by look; the last for ever.
  const passes: Issue = { ...issue('passes'), code: 'WEFT0498' };
  const said = [issue('stays'), issue('stays in other words')] as const;
  const looks = [[said[0], passes], [said[0]], [said[0]], [said[1]], [said[1]], []];
  const api = new FakeMeshApi();
  api.replies.set('GET /weft/v1/issues', () => ({
    status: 200,
    body: { issues: (looks.length > 1 ? looks.shift() : looks[0]) ?? [] },
  }));
  const client = new MeshApiClient(await api.listen(), () => 'secret');
  const notes: string[] = [];
  const done = Promise.withResolvers<void>();
  const watch = new IssueWatch(
    client,
    (text) => {
      notes.push(text);
      if (text.includes('mended')) done.resolve();
    },
    5,
  );
  context.after(async () => {
    watch.stop();
    client.close();
    await api.close();
  });
  watch.start();
  await done.promise;
  assert.deepEqual(notes, [
    'error WEFT0499: stays',
    'error WEFT0499: stays in other words',
    'mended: error WEFT0499: stays in other words',
  ]);
});
