// HAProxy with one thread.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { acceptsTls, connectsTls, routePrefix, speaksHttp2, type Task } from '../bench-case.ts';
import { serverName } from '../certificate.ts';
import { findProgram } from '../program.ts';
import type { Peer } from './peer.ts';

// It wants certificate and key in one file.
function pemOf(task: Task): string {
  const file = join(task.folder, 'leaf-and-key.pem');
  writeFileSync(file, readFileSync(task.certificate, 'utf8') + readFileSync(task.key, 'utf8'));
  return file;
}

function bindWords(task: Task): string {
  if (!acceptsTls(task)) return speaksHttp2(task.name) ? ' proto h2' : '';
  const verify = task.role === 'server' ? ` ca-file ${task.authority} verify required` : '';
  return ` ssl crt ${pemOf(task)} ssl-min-ver TLSv1.3${verify}`;
}

function serverWords(task: Task): string {
  if (speaksHttp2(task.name)) return ' proto h2';
  if (!connectsTls(task)) return '';
  return ` ssl crt ${pemOf(task)} ca-file ${task.authority} verify required sni str(${serverName}) ssl-min-ver TLSv1.3`;
}

function configOf(task: Task): string {
  const isTcp = task.name === 'tcp';
  const route = isTcp
    ? '  default_backend backend'
    : `  http-request deny deny_status 404 unless { path_beg ${routePrefix} }\n  default_backend backend`;
  return `global
  nbthread 1
  maxconn 8192
defaults
  mode ${isTcp ? 'tcp' : 'http'}
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend front
  bind 127.0.0.1:${task.listenPort}${bindWords(task)}
${route}
backend backend
${isTcp ? '' : '  http-reuse always\n'}  server one 127.0.0.1:${task.upstreamPort}${serverWords(task)}
`;
}

export const haproxy: Peer = {
  name: 'haproxy',
  environment: {},
  missing: () => (findProgram('haproxy') === null ? 'no `haproxy` on PATH and no HAPROXY_BIN' : null),
  prepare(task) {
    const file = join(task.folder, 'haproxy.cfg');
    writeFileSync(file, configOf(task));
    return [findProgram('haproxy') ?? 'haproxy', '-db', '-f', file];
  },
};
