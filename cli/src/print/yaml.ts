// Output as YAML.
import { stringify } from 'yaml';

/** YAML without line folding or anchors, so that it can be read back by anything. */
export function toYaml(value: unknown): string {
  return stringify(value, { lineWidth: 0, aliasDuplicateObjects: false }).trimEnd();
}
