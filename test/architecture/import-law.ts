// Judges one import by the law.

import type { Edge } from './import-graph.ts';
import {
  controlPlaneBase,
  controlPlanePath,
  importExceptions,
  protocolLibrary,
  proxyBase,
  proxyBeside,
  proxyPath,
  proxyTop,
  workspaces,
} from './law.ts';

/** Why the import is against the law, or null. */
export function judgeImport(edge: Edge): string | null {
  if (`${edge.from} → ${edge.to}` in importExceptions) return null;
  const from = placeOf(edge.from);
  const to = placeOf(edge.to);
  if (to.workspace === 'test' && from.workspace !== 'test') return 'only tests import the test kit';
  const allowed = workspaces[from.workspace];
  if (allowed === undefined) return null;
  if (from.workspace !== to.workspace) {
    if (!allowed.includes(to.workspace))
      return `${from.workspace} may import ${allowed.join(', ') || 'nothing of ours'}`;
    if (from.workspace === 'proxy' && from.folder === 'protocol' && !edge.isTypeOnly) return judgeProtocol(edge.to);
    return null;
  }
  if (edge.isTypeOnly || from.folder === to.folder || from.folder === '') return null;
  if (from.workspace === 'proxy') return judgeProxy(from.folder, to.folder);
  return from.workspace === 'control-plane' ? judgeControlPlane(from.folder, to.folder) : null;
}

interface Place {
  readonly workspace: string;
  /** The folder below `src`, or empty for files directly in it. */
  readonly folder: string;
}

function placeOf(path: string): Place {
  const [workspace = '', src, ...rest] = path.split('/');
  return { workspace, folder: src === 'src' && rest.length > 1 ? (rest[0] ?? '') : '' };
}

function includes(list: readonly string[], item: string): boolean {
  return list.includes(item);
}

function judgeProtocol(to: string): string | null {
  const isAllowed = protocolLibrary.some((name) => to === `lib/src/${name}.ts`);
  return isAllowed ? null : `protocol/ imports only ${protocolLibrary.map((name) => `lib/${name}`).join(', ')}`;
}

function judgeProxy(from: string, to: string): string | null {
  if (includes(proxyTop, from)) return null;
  if (includes(proxyTop, to)) return `only main.ts imports ${to}/`;
  if (includes(proxyBase, to)) return null;
  if (includes(proxyBase, from)) return `${from}/ is a base folder and imports base folders and lib only`;
  if (includes(proxyBeside, to)) return null;
  if (includes(proxyBeside, from)) return `${from}/ stands beside the path and imports no stage of it`;
  const path: readonly string[] = proxyPath;
  if (path.indexOf(from) < 0) return `${from}/ is in no list of test/architecture/law.ts`;
  return path.indexOf(to) > path.indexOf(from) ? null : `${to}/ comes before ${from}/ on the path: import types only`;
}

function judgeControlPlane(from: string, to: string): string | null {
  if (includes(controlPlaneBase, to)) return null;
  const path: readonly string[] = controlPlanePath;
  const toAt = path.indexOf(to);
  const fromAt = path.indexOf(from);
  if (fromAt < 0) return null;
  if (toAt < 0) return `${to}/ stands beside the path: main.ts passes what ${from}/ needs of it`;
  return toAt < fromAt ? null : `${to}/ comes after ${from}/ on the path: import types only`;
}
