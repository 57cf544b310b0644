// Every admin page, in the order the home page lists them.

import { certsPage } from './page/certs.ts';
import { clustersPage } from './page/clusters.ts';
import { configDumpPage } from './page/config-dump.ts';
import { decisionPage, decisionsPage } from './page/decisions.ts';
import { drainListenersPage, failHealthCheckPage, passHealthCheckPage, quitPage } from './page/lifecycle.ts';
import { listenersPage } from './page/listeners.ts';
import { loggingPage } from './page/logging.ts';
import { initDumpPage, memoryPage, readyPage, serverInfoPage } from './page/server.ts';
import { prometheusPage, statsPage } from './page/stats.ts';
import { type AdminPage, type AdminReply, type AdminRequest, textReply } from './reply.ts';
import type { AdminState } from './state.ts';

export interface PageEntry {
  /** A trailing `/*` takes one more segment. */
  readonly path: string;
  readonly methods: readonly ('GET' | 'POST')[];
  readonly page: AdminPage;
  readonly about: string;
}

export const pages: readonly PageEntry[] = [
  { path: '/', methods: ['GET'], page: homePage, about: 'this page' },
  { path: '/certs', methods: ['GET'], page: certsPage, about: 'certificates in use' },
  { path: '/clusters', methods: ['GET'], page: clustersPage, about: 'clusters and hosts (?format=json)' },
  {
    path: '/config_dump',
    methods: ['GET'],
    page: configDumpPage,
    about: 'configuration in force (?resource=, ?mask=, ?name_regex=, ?include_eds)',
  },
  {
    path: '/decisions',
    methods: ['GET'],
    page: decisionsPage,
    about: 'the last replies the mesh made itself (?limit=)',
  },
  { path: '/decisions/*', methods: ['GET'], page: decisionPage, about: 'one of them, explained' },
  {
    path: '/drain_listeners',
    methods: ['POST'],
    page: drainListenersPage,
    about: 'stop listening (?graceful: after the drain time, &skip_exit: not even then; ?inboundonly)',
  },
  {
    path: '/healthcheck/fail',
    methods: ['POST'],
    page: failHealthCheckPage,
    about: 'make /ready say 503, and end connections with their next response',
  },
  { path: '/healthcheck/ok', methods: ['POST'], page: passHealthCheckPage, about: 'take that back' },
  { path: '/help', methods: ['GET'], page: helpPage, about: 'this list as text' },
  { path: '/init_dump', methods: ['GET'], page: initDumpPage, about: 'what the proxy waits for before it is ready' },
  { path: '/listeners', methods: ['GET'], page: listenersPage, about: 'addresses listened on (?format=json)' },
  {
    path: '/logging',
    methods: ['GET', 'POST'],
    page: loggingPage,
    about: 'log levels; change with POST ?level=debug or ?COMPONENT=debug',
  },
  { path: '/memory', methods: ['GET'], page: memoryPage, about: 'memory in use' },
  { path: '/quitquitquit', methods: ['POST'], page: quitPage, about: 'drain and end the process' },
  { path: '/ready', methods: ['GET'], page: readyPage, about: '200 when the proxy serves, else 503' },
  { path: '/server_info', methods: ['GET'], page: serverInfoPage, about: 'version, state, uptime, node' },
  {
    path: '/stats',
    methods: ['GET'],
    page: statsPage,
    about: 'metrics (?filter=, ?usedonly, ?type=, ?format=json|prometheus)',
  },
  { path: '/stats/prometheus', methods: ['GET'], page: prometheusPage, about: 'metrics for Prometheus' },
];

/** The entry that serves a path, or null. */
export function findPage(path: string): PageEntry | null {
  for (const entry of pages) {
    if (entry.path === path) return entry;
    const prefix = entry.path.endsWith('/*') ? entry.path.slice(0, -1) : null;
    if (prefix !== null && path.startsWith(prefix) && path.length > prefix.length) return entry;
  }
  return null;
}

function helpPage(): AdminReply {
  const lines = pages.map(({ path, methods, about }) => `  ${path} (${methods.join(', ')}): ${about}\n`);
  return textReply(`admin pages:\n${lines.join('')}`);
}

function homePage(state: AdminState, _request: AdminRequest): AdminReply {
  const rows = pages.map(
    ({ path, methods, about }) =>
      `<tr><td>${methods.includes('GET') ? linkTo(path) : buttonFor(path)}</td><td>${escapeHtml(about)}</td></tr>`,
  );
  const body = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Weft proxy</title>
<style>body{font:15px system-ui;margin:2rem}td{padding:.2rem 1rem .2rem 0}button{font:inherit}</style>
<h1>Weft proxy ${escapeHtml(state.version)}</h1>
<p>${escapeHtml(state.bootstrap.node?.id ?? '')} · ${state.serverState()}</p>
<table>
${rows.join('\n')}
</table>
</html>
`;
  return { status: 200, type: 'text/html; charset=utf-8', body };
}

function linkTo(path: string): string {
  return path.endsWith('/*') ? path : `<a href="${path}">${path}</a>`;
}

// A change is a button, so that following a link never makes one.
function buttonFor(path: string): string {
  return `<form method="post" action="${path}"><button>${path}</button></form>`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
