// gRPC's interoperability cases with `@grpc/grpc-js` on both ends and the proxy, in processes of its own, between them.

import { after, before, describe, it } from 'node:test';
import { Cleanups } from '../../kit/cleanups.ts';
import { interopCases } from './case.ts';
import { TestClient } from './client.ts';
import { startTestServer } from './server.ts';
import { topologies } from './topology.ts';

for (const topology of topologies) {
  describe(`gRPC over ${topology.name}`, () => {
    const cleanups = new Cleanups();
    let client: TestClient;

    before(async () => {
      const server = await startTestServer();
      cleanups.after(() => server.close());
      const port = await topology.start(cleanups, server.port);
      client = new TestClient(`localhost:${port}`);
      cleanups.after(() => client.close());
    });

    after(() => cleanups.run());

    for (const [name, run] of Object.entries(interopCases)) it(name, () => run(client));
  });
}
