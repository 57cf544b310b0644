// A directory of resources as a source: read whole, watched, and kept at its last good state where a file breaks.

import { isAbsolute, join, relative } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Clock, Timer } from '@weft/lib/clock';
import type { Issue } from '@weft/lib/issue';
import { Findings } from '../../resource/findings.ts';
import { formCodes } from '../../resource/issue-code.ts';
import type { ParsedResource } from '../../resource/parse-resource.ts';
import { composeFiles } from './compose.ts';
import { keptIssues, lastGood, type Resources } from './last-good.ts';
import { type LoadedFile, loadFile, resourceKey } from './load-file.ts';
import { type FoundFile, type Scan, scanDirectory } from './scan-directory.ts';
import { TreeWatch } from './watch-tree.ts';

/** Everything a directory says at one moment. */
export interface FileSnapshot {
  /** The last good state of every resource, one per kind, namespace and name. */
  readonly resources: readonly ParsedResource[];
  readonly issues: readonly Issue[];
}

/** How a directory is read. */
export interface FileSourceOptions {
  readonly directory: string;
  readonly defaultNamespace: string;
  readonly clock: Clock;
  readonly onChange: (snapshot: FileSnapshot) => void;
  /** Whether folders inside the directory are read too. Not by default, as with `kubectl apply -f DIR`. */
  readonly isRecursive?: boolean;
  /** What files said before this start: the last good state to begin with. Those of other directories do not count. */
  readonly kept?: readonly ParsedResource[];
  /** Quiet time after an event before reading: editors write in several steps. */
  readonly debounceMs?: number;
  /** How often to look without an event, for file systems that send none. */
  readonly pollMs?: number;
}

interface FileState {
  /** Of what was read; null when it has to be read again in any case. */
  readonly signature: string | null;
  readonly loaded: LoadedFile;
  readonly good: Resources;
}

const noResources: Resources = new Map();
const nothingLoaded: LoadedFile = { documents: [], issues: [], isWhole: true };

/** Polling where the directory is missing or cannot be watched. */
const urgentPollMs = 1000;

/** Watches a directory. `onChange` is called after the first read, which `start` awaits, and every read that found a difference. */
export class FileSource {
  private readonly options: FileSourceOptions;
  private readonly watch: TreeWatch;
  private files: ReadonlyMap<string, FileState>;
  private current: FileSnapshot = { resources: [], issues: [] };
  private directoryIssues: readonly Issue[] = [];
  private inUse: Resources;
  private isFirst = true;
  private timer: Timer | null = null;
  private reading: Promise<void> | null = null;
  private isStale = false;
  private isClosed = false;

  constructor(options: FileSourceOptions) {
    this.options = options;
    this.watch = new TreeWatch(() => this.onEvent());
    this.files = keptFiles(options.directory, options.kept ?? []);
    this.inUse = new Map([...this.files.values()].flatMap(({ good }) => [...good]));
  }

  /** The state after the last read. */
  get snapshot(): FileSnapshot {
    return this.current;
  }

  /** Reads for the first time and watches from then on. */
  async start(): Promise<FileSnapshot> {
    await this.refresh();
    return this.current;
  }

  /** Reads now, without waiting for an event. Resolves when everything written before the call has been read. */
  async refresh(): Promise<void> {
    if (this.isClosed) return;
    if (this.reading !== null) {
      this.isStale = true;
      return this.reading;
    }
    this.reading = this.readUntilFresh();
    await this.reading;
  }

  /** Stops watching and reading. */
  close(): void {
    this.isClosed = true;
    this.timer?.stop();
    this.watch.close();
  }

  private onEvent(): void {
    if (!this.isClosed) this.schedule(this.options.debounceMs ?? 50);
  }

  private schedule(delayMs: number): void {
    this.timer?.stop();
    this.timer = this.options.clock.start(delayMs, (source: FileSource) => void source.refresh(), this);
  }

  private async readUntilFresh(): Promise<void> {
    let isCalm = true;
    do {
      this.isStale = false;
      isCalm = await this.readOnce();
    } while (this.isStale && !this.isClosed);
    this.reading = null;
    if (!this.isClosed) this.schedule(isCalm ? (this.options.pollMs ?? 5000) : urgentPollMs);
  }

  /** False when the directory has to be looked at again soon. */
  private async readOnce(): Promise<boolean> {
    const { directory, isRecursive = false } = this.options;
    const before = await scanDirectory(directory, isRecursive);
    const isWatched = this.watch.watchOnly(before.directories);
    // What appeared between the walk and the watch has sent no event, hence the second walk.
    const scan = await scanDirectory(directory, isRecursive);
    const files = scan.problem === null ? await this.readFiles(scan) : this.files;
    if (this.isClosed) return true;
    const directoryIssues = this.directoryFindings(scan);
    if (
      this.isFirst ||
      files !== this.files ||
      JSON.stringify(directoryIssues) !== JSON.stringify(this.directoryIssues)
    ) {
      this.isFirst = false;
      this.files = files;
      this.directoryIssues = directoryIssues;
      this.current = this.compose(files, directoryIssues);
      this.options.onChange(this.current);
    }
    return isWatched && scan.problem === null;
  }

  private compose(files: ReadonlyMap<string, FileState>, directoryIssues: readonly Issue[]): FileSnapshot {
    const { resources, issues } = composeFiles(files.values(), (key) => this.inUse.get(key)?.positions?.file ?? null);
    this.inUse = resources;
    return { resources: [...resources.values()], issues: [...directoryIssues, ...issues] };
  }

  private async readFiles(scan: Scan): Promise<ReadonlyMap<string, FileState>> {
    const next = new Map<string, FileState>();
    let isChanged = false;
    for (const found of scan.files) {
      const known = this.files.get(found.relative);
      const signature = signatureOf(found);
      const isSame = signature !== null && known?.signature === signature;
      const state = isSame ? known : await this.readFile(found, signature, known);
      isChanged ||= state !== (known ?? null);
      if (state !== null) next.set(found.relative, state);
    }
    return isChanged || next.size !== this.files.size ? next : this.files;
  }

  private async readFile(
    found: FoundFile,
    signature: string | null,
    known: FileState | undefined,
  ): Promise<FileState | null> {
    const before = known?.good ?? noResources;
    // A folder may be called what it likes, unless it stands where a file of resources was.
    if (found.stats?.isDirectory() && before.size === 0) return null;
    const { directory, defaultNamespace } = this.options;
    const shown = join(directory, found.relative);
    const loaded = await loadFile(found, { shown, defaultNamespace, isInUse: before.size > 0 });
    if (loaded === null) return null;
    const issues = [...loaded.issues, ...keptIssues(loaded, before, shown)];
    if (loaded.isUnread && known?.loaded.isUnread && isDeepStrictEqual(issues, known.loaded.issues)) return known;
    return {
      signature: loaded.isUnread ? null : signature,
      loaded: { ...loaded, issues },
      good: lastGood(loaded, before),
    };
  }

  private directoryFindings(scan: Scan): readonly Issue[] {
    if (scan.problem === null) return [];
    const { directory } = this.options;
    const findings = new Findings({ kind: 'Directory', namespace: '', name: directory, file: directory }, null);
    const kept = this.files.size === 0 ? '' : ' What was read from it before stays in effect.';
    const other = scan.isTooLarge ? formCodes.tooManyFiles : formCodes.unreadableFile;
    const code = scan.isMissing ? formCodes.missingDirectory : other;
    findings.add(code, '', `The directory of resources cannot be read: ${scan.problem}.${kept}`);
    return findings.issues;
  }
}

function signatureOf({ stats }: FoundFile): string | null {
  return stats === null ? null : `${stats.mtimeMs} ${stats.ctimeMs} ${stats.size} ${stats.ino}`;
}

/** Files as they would be had they been read before, each with what was kept of it. */
function keptFiles(directory: string, kept: readonly ParsedResource[]): ReadonlyMap<string, FileState> {
  const files = new Map<string, Map<string, ParsedResource>>();
  for (const resource of kept) {
    const { info, namespace, name, positions } = resource;
    const inside = positions === null ? '..' : relative(directory, positions.file);
    if (positions === null || inside.startsWith('..') || isAbsolute(inside)) continue;
    const ofFile = files.get(inside) ?? new Map<string, ParsedResource>();
    const here = { ...resource, positions: { ...positions, file: join(directory, inside) } };
    files.set(inside, ofFile.set(resourceKey(info.id, namespace, name), here));
  }
  const state = (good: Resources): FileState => ({ signature: null, loaded: nothingLoaded, good });
  return new Map([...files].map(([name, good]) => [name, state(good)]));
}
