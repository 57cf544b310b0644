// A program whose health can be broken and mended from outside.
import { createServer } from 'node:http';

let healthy = true;
createServer((request, response) => {
  if (request.url === '/break') healthy = false;
  if (request.url === '/mend') healthy = true;
  response.statusCode = request.url === '/health' && !healthy ? 500 : 200;
  response.end();
}).listen(Number(process.env.PORT), '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
