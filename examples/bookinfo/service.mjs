// What the four services share: a small HTTP server, JSON replies and the headers that tie one visitor's calls together.
import { createServer } from 'node:http';

const correlationHeaders = [
  'end-user',
  'user-agent',
  'x-request-id',
  'traceparent',
  'tracestate',
  'b3',
  'x-b3-traceid',
  'x-b3-spanid',
  'x-b3-parentspanid',
  'x-b3-sampled',
  'x-b3-flags',
  'x-ot-span-context',
  'x-cloud-trace-context',
  'grpc-trace-bin',
];

/** The headers of an incoming request that every outgoing call on its behalf carries on. */
export function correlation(request) {
  const headers = {};
  for (const name of correlationHeaders) {
    if (request.headers[name] !== undefined) headers[name] = request.headers[name];
  }
  return headers;
}

export function sendJson(response, status, value) {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(value));
}

/** Serves `answer(request, response, url)` on $PORT (9080 without it), with /health, until SIGTERM. */
export function serve(name, answer) {
  const port = Number(process.env.PORT ?? 9080);
  const server = createServer(async (request, response) => {
    try {
      const url = new URL(request.url, 'http://localhost');
      if (url.pathname === '/health') return sendJson(response, 200, { status: `${name} is healthy` });
      await answer(request, response, url);
    } catch (error) {
      console.error(`${name}: ${request.method} ${request.url} failed:`, error);
      if (response.headersSent) response.destroy();
      else sendJson(response, 500, { error: 'internal error' });
    }
  });
  // Longer than a client keeps an idle connection, so that no request meets a closing one.
  server.keepAliveTimeout = 75_000;
  server.listen(port, '127.0.0.1', () => console.log(`${name} listens on port ${port}`));
  process.once('SIGTERM', () => {
    server.close(() => process.exit(0));
    server.closeIdleConnections();
  });
}

/** The number at the end of `/prefix/NUMBER`, or null when the path is anything else. */
export function idAfter(prefix, pathname) {
  if (!pathname.startsWith(`${prefix}/`)) return null;
  const text = pathname.slice(prefix.length + 1);
  return /^[0-9]{1,9}$/.test(text) ? Number(text) : null;
}
