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
  /** By text, with what the finding is about. */
  private told: ReadonlyMap<string, string> = new Map();
  private last: ReadonlyMap<string, string> = new Map();
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
      if (!this.isStopped) this.compare(new Map(answer.issues.map((issue) => [formatIssue(issue), subjectOf(issue)])));
    } catch {
      // The control plane is away, which is told elsewhere.
    }
    if (!this.isStopped) this.timer = setTimeout(() => void this.look(), this.pollMs).unref();
  }

  /** Only what was there the last time too: while processes start or are replaced, findings come and go. */
  private compare(found: ReadonlyMap<string, string>): void {
    const lasting = [...found].filter(([text]) => this.last.has(text));
    const subjects = new Set(found.values());
    for (const [text] of lasting) if (!this.told.has(text)) this.onNote(text);
    // In other words, or in another line by now, it is not mended.
    for (const [text, subject] of this.told) if (!subjects.has(subject)) this.onNote(`mended: ${text}`);
    this.told = new Map([...lasting, ...[...this.told].filter(([text]) => found.has(text))]);
    this.last = found;
  }
}

function subjectOf({ code, path, origin }: Issue): string {
  return [code, origin?.kind, origin?.namespace, origin?.name, path].join(' ');
}
