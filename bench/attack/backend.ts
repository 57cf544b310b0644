// The endpoint that means no harm: a few bytes for every request, a megabyte for /large. Takes a port.

import { createServer } from 'node:http';

const large = Buffer.alloc(1024 * 1024, 'x');

const server = createServer((request, response) => {
  request.resume();
  if (request.url === '/large') response.end(large);
  else if (request.method === 'GET') response.end('hello');
  else request.on('end', () => response.end('thanks'));
});
server.on('clientError', (_error, socket) => socket.destroy());
server.listen(Number(process.argv[2]), '127.0.0.1');
