// Tells a person who edits files under a running mesh what is wrong with them: findings that stay, each once, and when it is mended.
import { formatIssue, type Issue } from '@weft/lib/issue';
import type { MeshApiClient } from '../mesh-api/client.ts';

const defaultPollMs = 1500;

/** Asks the mesh API for its findings now and then. */
export class IssueWatch {
  private readonly client: MeshApiClient;
  private readonly onNote: (text: string) => void;
  private readonly pollMs: number;
  private timer: NodeJS.Timeout | null = null;
  private told: ReadonlySet<string> = new Set();
  private last: ReadonlySet<string> = new Set();
  private isStopped = false;

  constructor(client: MeshApiClient, onNote: (text: string) => void, pollMs = defaultPollMs) {
    this.pollMs = pollMs;
    this.client = client;
    this.onNote = onNote;
  }

  start(): void {
    void this.look();
  }

  stop(): void {
    this.isStopped = true;
    if (this.timer !== null) clearTimeout(this.timer);
  }

  private async look(): Promise<void> {
    try {
      const answer = (await this.client.request('/weft/v1/issues')) as { issues: readonly Issue[] };
      if (!this.isStopped) this.compare(new Set(answer.issues.map(formatIssue)));
    } catch {
      // The control plane is away, which is told elsewhere.
    }
    if (!this.isStopped) this.timer = setTimeout(() => void this.look(), this.pollMs).unref();
  }

  /** Only what was there the last time too: while processes start or are replaced, findings come and go. */
  private compare(found: ReadonlySet<string>): void {
    const lasting = [...found].filter((text) => this.last.has(text));
    for (const text of lasting) if (!this.told.has(text)) this.onNote(text);
    for (const text of this.told) if (!found.has(text)) this.onNote(`mended: ${text}`);
    this.told = new Set([...lasting, ...[...this.told].filter((text) => found.has(text))]);
    this.last = found;
  }
}
