// A gRPC server as a program of a mesh: the interoperability service on $PORT.

import { startTestServer } from '../conformance/grpc/server.ts';

await startTestServer(Number(process.env.PORT));
