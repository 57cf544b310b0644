// nginx with one worker process. To an HTTP/2 upstream it has only the gRPC module, which opens one connection per stream.

import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { acceptsTls, connectsTls, routePrefix, speaksHttp2, type Task } from '../bench-case.ts';
import { serverName } from '../certificate.ts';
import { findProgram } from '../program.ts';
import type { Peer } from './peer.ts';

// Where Debian keeps the stream module, which is not built in there.
const streamModule = '/usr/lib/nginx/modules/ngx_stream_module.so';

function header(task: Task): string {
  const loadsModule = task.name === 'tcp' && existsSync(streamModule);
  return `${loadsModule ? `load_module ${streamModule};\n` : ''}daemon off;
worker_processes 1;
error_log ${task.folder}/error.log error;
pid ${task.folder}/nginx.pid;
worker_rlimit_nofile 8192;
events { worker_connections 4096; }
`;
}

function tcpConfig(task: Task): string {
  return `stream {
  server {
    listen 127.0.0.1:${task.listenPort};
    proxy_pass 127.0.0.1:${task.upstreamPort};
  }
}
`;
}

function serverTls(task: Task): string {
  if (!acceptsTls(task)) return '';
  const verify = task.role === 'server' ? `ssl_client_certificate ${task.authority}; ssl_verify_client on;` : '';
  return `ssl_certificate ${task.certificate}; ssl_certificate_key ${task.key}; ssl_protocols TLSv1.3; ${verify}`;
}

function upstreamTls(task: Task): string {
  if (!connectsTls(task)) return '';
  return `proxy_ssl_certificate ${task.certificate}; proxy_ssl_certificate_key ${task.key};
      proxy_ssl_trusted_certificate ${task.authority}; proxy_ssl_verify on; proxy_ssl_protocols TLSv1.3;
      proxy_ssl_name ${serverName}; proxy_ssl_server_name on;`;
}

function httpConfig(task: Task): string {
  const isHttp2 = speaksHttp2(task.name);
  const listenWords = `${acceptsTls(task) ? ' ssl' : ''}${isHttp2 ? ' http2' : ''}`;
  const pass = isHttp2
    ? 'grpc_pass grpc://backend;'
    : `proxy_pass ${connectsTls(task) ? 'https' : 'http'}://backend; proxy_http_version 1.1; proxy_set_header Connection "";`;
  const folders = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `http {
  access_log off;
  ${folders.map((name) => `${name}_temp_path ${task.folder}/${name};`).join(' ')}
  keepalive_requests 1000000000;
  upstream backend {
    server 127.0.0.1:${task.upstreamPort};
    keepalive 512;
    keepalive_requests 1000000000;
  }
  server {
    listen 127.0.0.1:${task.listenPort}${listenWords};
    http2_max_concurrent_streams 256;
    ${serverTls(task)}
    location ${routePrefix} {
      ${pass}
      ${upstreamTls(task)}
    }
    location / { return 404; }
  }
}
`;
}

export const nginx: Peer = {
  name: 'nginx',
  environment: {},
  missing: () => (findProgram('nginx') === null ? 'no `nginx` on PATH and no NGINX_BIN' : null),
  prepare(task) {
    const file = join(task.folder, 'nginx.conf');
    writeFileSync(file, header(task) + (task.name === 'tcp' ? tcpConfig(task) : httpConfig(task)));
    return [findProgram('nginx') ?? 'nginx', '-p', task.folder, '-c', file, '-e', join(task.folder, 'start.log')];
  },
};
