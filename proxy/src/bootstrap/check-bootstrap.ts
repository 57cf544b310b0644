// From the parsed value of a bootstrap file to the message, with everything that is wrong with it.
import type { envoy } from '@weft/api/xds/types';
import type { Issue } from '@weft/lib/issue';
import { messageFromJson } from '@weft/lib/protobuf/codec';
import { checkBootstrapRules } from './bootstrap-rules.ts';
import { checkSupport } from './support.ts';

type Bootstrap = envoy.config.bootstrap.v3.Bootstrap;

const typeName = 'envoy.config.bootstrap.v3.Bootstrap';

/** Issues carry paths, not lines: those are the file's to know. */
export function checkBootstrap(value: unknown): { readonly bootstrap: Bootstrap; readonly issues: readonly Issue[] } {
  const issues: Issue[] = [];
  const bootstrap = messageFromJson(typeName, value, issues);
  issues.push(...checkSupport(typeName, bootstrap), ...checkBootstrapRules(bootstrap));
  return { bootstrap, issues };
}
