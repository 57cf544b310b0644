// A gRPC client as a program of a mesh: runs every interoperability case against the address it is given, through its sidecar.

import { interopCases } from '../conformance/grpc/case.ts';
import { TestClient } from '../conformance/grpc/client.ts';

const client = new TestClient(process.argv[2] ?? '', true);
for (const [name, run] of Object.entries(interopCases)) {
  await run(client);
  console.log(`passed ${name}`);
}
client.close();
// A call that is cancelled as it begins keeps the library's connection, and by it the process, whoever is at the other end.
process.exit(0);
