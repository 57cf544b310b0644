// What to do with a mesh that just came up: where to click, what to try. Gateways may say it in annotations of theirs.
import type { ApiObject } from '../mesh-api/client.ts';

/** Path to open in a browser. */
export const openAnnotation = 'weft.dev/open';
/** Lines to show as what to try next. */
export const nextAnnotation = 'weft.dev/next';

/** Resources that tell. */
export interface NextStepSources {
  readonly gateways: readonly ApiObject[];
  readonly virtualServices: readonly ApiObject[];
}

interface UriMatch {
  readonly exact?: string;
  readonly prefix?: string;
}

/** The lines that `weft up` prints when the mesh is ready. */
export function nextSteps(ingressUrl: string, sources: NextStepSources): string[] {
  const lines: string[] = [];
  const paths = openPaths(sources);
  if (sources.gateways.length > 0) {
    lines.push('', 'Open:');
    for (const path of paths.length === 0 ? ['/'] : paths) lines.push(`  ${ingressUrl}${path}`);
  }
  lines.push('', 'Try next:');
  const steps = sources.gateways.flatMap((gateway) =>
    (gateway.metadata.annotations?.[nextAnnotation] ?? '').split('\n'),
  );
  const told = steps.map((step) => step.trim()).filter((step) => step !== '');
  for (const step of told.length > 0 ? told : ['./weft status', './weft get virtualservices', './weft apply -f FILE'])
    lines.push(`  ${step}`);
  lines.push('', 'Ctrl-C stops the mesh.');
  return lines;
}

function openPaths({ gateways, virtualServices }: NextStepSources): string[] {
  const told = gateways
    .map((gateway) => gateway.metadata.annotations?.[openAnnotation])
    .filter((path) => path !== undefined);
  if (told.length > 0) return told;
  const found = virtualServices.flatMap((service) => {
    const spec = service.spec as { gateways?: string[]; http?: { match?: { uri?: UriMatch }[] }[] } | undefined;
    if (spec?.gateways === undefined) return [];
    return (spec.http ?? []).flatMap((route) =>
      (route.match ?? []).flatMap(({ uri }) => uri?.exact ?? uri?.prefix ?? []),
    );
  });
  return [...new Set(found)].slice(0, 5);
}
