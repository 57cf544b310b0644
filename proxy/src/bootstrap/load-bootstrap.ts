// Reads a bootstrap file in Envoy's v3 format. Comes first at start-up: everything else is made from its result.
import type { envoy } from '@weft/api/xds/types';
import { hasErrors, type Issue } from '@weft/lib/issue';
import { type BootstrapFile, parseBootstrapText, readBootstrapFile } from './bootstrap-file.ts';
import { checkBootstrap } from './check-bootstrap.ts';

type Bootstrap = envoy.config.bootstrap.v3.Bootstrap;

/** What loading gives: null when any issue is an error. Every issue names file, line and column. */
export interface LoadedBootstrap {
  readonly bootstrap: Bootstrap | null;
  readonly issues: readonly Issue[];
}

/** Loads a file, YAML or JSON; never throws. */
export function loadBootstrap(path: string): LoadedBootstrap {
  return fromFile(readBootstrapFile(path));
}

/** Loads text that came from elsewhere; `name` stands in for the file in issues. */
export function parseBootstrap(text: string, name: string): LoadedBootstrap {
  return fromFile(parseBootstrapText(text, name));
}

/** Says of findings made later, when the parts are made, where in the file they are. */
export function locateIssues(options: { path: string; text: string }, issues: readonly Issue[]): readonly Issue[] {
  const { path, text } = options;
  const file = text === '' ? readBootstrapFile(path) : parseBootstrapText(text, path);
  // What changed since it was loaded says nothing of the findings.
  return hasErrors(file.issues) ? issues : issues.map((issue) => file.locate(issue));
}

function fromFile(file: BootstrapFile): LoadedBootstrap {
  if (hasErrors(file.issues)) return { bootstrap: null, issues: file.issues };
  const { bootstrap, issues } = checkBootstrap(file.value);
  const located = issues.map((issue) => file.locate(issue));
  return { bootstrap: hasErrors(located) ? null : bootstrap, issues: located };
}
