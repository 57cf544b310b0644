// Waits until every connected proxy has carried a revision of the mesh out.
import type { MeshApiClient } from '@weft/local/mesh-api/client';

/** What the control plane answers. */
interface WaitOutcome {
  readonly ready: readonly string[];
  readonly missing: readonly { readonly proxy: string; readonly reason: string }[];
}

const answerMarginMs = 5_000;

/** Resolves to what is missing, in words; empty when nothing is. */
export async function waitForRevision(client: MeshApiClient, revision: number, timeoutMs: number): Promise<string[]> {
  const path = `/weft/v1/wait?revision=${revision}&timeout=${Math.max(1, Math.round(timeoutMs))}ms`;
  const outcome = (await client.request(path, { timeoutMs: timeoutMs + answerMarginMs })) as WaitOutcome;
  return outcome.missing.map(({ proxy, reason }) => `${workloadOf(proxy)}: ${reason}`);
}

/** `reviews-v1.default` of `sidecar~127.0.0.1~reviews-v1.default~default.svc.cluster.local`. */
function workloadOf(id: string): string {
  return id.split('~')[2] ?? id;
}
