// Stands in for a proxy: answers /ready on its admin port and writes its process id and join token beside its bootstrap. What lies
// there as certs.json is its answer to /certs.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname, join } from 'node:path';

const bootstrapFile = process.argv[process.argv.indexOf('-c') + 1];
const bootstrap = JSON.parse(readFileSync(bootstrapFile, 'utf8'));
const { join_token_path: tokenFile } = bootstrap.bootstrap_extensions[0].typed_config;
writeFileSync(join(dirname(bootstrapFile), 'pid'), String(process.pid));
writeFileSync(join(dirname(bootstrapFile), 'used-token'), readFileSync(tokenFile, 'utf8'));
const certsFile = join(dirname(bootstrapFile), 'certs.json');
createServer(({ url }, response) =>
  response.end(url === '/certs' && existsSync(certsFile) ? readFileSync(certsFile) : 'LIVE\n'),
).listen(bootstrap.admin.address.socket_address.port_value, '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
