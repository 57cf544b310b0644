// How resources fit together, without a running mesh: the cross-checks of the control plane over a world made of files alone.
import type { KindName } from '@weft/api/resource/kind';
import { defaultSettings } from '@weft/control-plane/model/settings';
import { checkWorld } from '@weft/control-plane/resource/check-world';
import type { ParsedResource } from '@weft/control-plane/resource/parse-resource';
import { createWorld, type StoredResource } from '@weft/control-plane/store/world';
import type { Issue } from '@weft/lib/issue';
import { ingressLabels } from '@weft/local/mesh/gateway-ports';

/** Every finding of the cross-checks. The local mesh's own gateway counts as running. */
export function analyzeResources(resources: readonly ParsedResource[]): Issue[] {
  const content: Partial<Record<KindName, Map<string, StoredResource>>> = {};
  for (const { info, namespace, name, object, positions } of resources) {
    const place = positions === null ? {} : { file: positions.file, line: positions.line };
    const origin = { kind: info.kind, namespace, name, ...place };
    const ofKind = content[info.id] ?? new Map<string, StoredResource>();
    ofKind.set(`${namespace}/${name}`, { object, origin, layer: 'file', positions });
    content[info.id] = ofKind;
  }
  const world = createWorld(1, content as Parameters<typeof createWorld>[1]);
  const proxies = [{ namespace: 'istio-system', labels: ingressLabels }];
  const { rootNamespaces, mutualTls } = defaultSettings;
  return checkWorld(world, { rootNamespaces, mutualTls, proxies, nowMs: Date.now() });
}
