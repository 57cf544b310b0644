// A directory of resources as a source: read whole, watched, and kept at its last good state where a file breaks.

import { join } from 'node:path';
import type { Clock, Timer } from '@weft/lib/clock';
import type { Issue } from '@weft/lib/issue';
import { Findings } from '../../resource/findings.ts';
import { formCodes } from '../../resource/issue-code.ts';
import type { ParsedResource } from '../../resource/parse-resource.ts';
import { composeFiles } from './compose.ts';
import { type LoadedFile, loadFile } from './load-file.ts';
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
  /** The file from which a resource was taken before this start, by the resource's key; null when it is not known. */
  readonly ownerOf?: (key: string) => string | null;
  /** Quiet time after an event before reading: editors write in several steps. */
  readonly debounceMs?: number;
  /** How often to look without an event, for file systems that send none. */
  readonly pollMs?: number;
}

interface FileState {
  readonly signature: string;
  readonly loaded: LoadedFile;
  /** Last good resources, in the order of the file. */
  readonly good: ReadonlyMap<string, ParsedResource>;
}

/** Polling where the directory is missing or cannot be watched. */
const urgentPollMs = 1000;

/** Watches a directory. `onChange` is called after every read that found a difference; the first read is awaited by `start`. */
export class FileSource {
  private readonly options: FileSourceOptions;
  private readonly watch: TreeWatch;
  private files: ReadonlyMap<string, FileState> = new Map();
  private current: FileSnapshot = { resources: [], issues: [] };
  private directoryIssues: readonly Issue[] = [];
  /** By key; null before the first read. */
  private inUse: ReadonlyMap<string, ParsedResource> | null = null;
  private timer: Timer | null = null;
  private reading: Promise<void> | null = null;
  private isStale = false;
  private isClosed = false;

  constructor(options: FileSourceOptions) {
    this.options = options;
    this.watch = new TreeWatch(() => this.onEvent());
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
    if (files !== this.files || JSON.stringify(directoryIssues) !== JSON.stringify(this.directoryIssues)) {
      this.files = files;
      this.directoryIssues = directoryIssues;
      this.current = this.compose(files, directoryIssues);
      this.options.onChange(this.current);
    }
    return isWatched && scan.problem === null;
  }

  private compose(files: ReadonlyMap<string, FileState>, directoryIssues: readonly Issue[]): FileSnapshot {
    const { resources, issues } = composeFiles(files.values(), (key) => this.ownerOf(key));
    this.inUse = resources;
    return { resources: [...resources.values()], issues: [...directoryIssues, ...issues] };
  }

  private ownerOf(key: string): string | null {
    return this.inUse === null ? (this.options.ownerOf?.(key) ?? null) : (this.inUse.get(key)?.positions?.file ?? null);
  }

  private async readFiles(scan: Scan): Promise<ReadonlyMap<string, FileState>> {
    const next = new Map<string, FileState>();
    let isChanged = false;
    for (const found of scan.files) {
      const known = this.files.get(found.relative);
      const signature = signatureOf(found);
      const state = known?.signature === signature ? known : await this.readFile(found, signature, known);
      isChanged ||= state !== known;
      if (state !== null) next.set(found.relative, state);
    }
    return isChanged || next.size !== this.files.size ? next : this.files;
  }

  private async readFile(found: FoundFile, signature: string, known: FileState | undefined): Promise<FileState | null> {
    const { directory, defaultNamespace } = this.options;
    const loaded = await loadFile(found.path, join(directory, found.relative), found.stats, defaultNamespace);
    return loaded === null ? null : { signature, loaded, good: goodResources(loaded, known?.good ?? new Map()) };
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

function signatureOf(found: FoundFile): string {
  const { mtimeMs, ctimeMs, size, ino } = found.stats;
  return `${mtimeMs} ${ctimeMs} ${size} ${ino}`;
}

/** The resources of a file, with the last good version of each that is broken now. */
function goodResources(
  loaded: LoadedFile,
  before: ReadonlyMap<string, ParsedResource>,
): ReadonlyMap<string, ParsedResource> {
  if (!loaded.isWhole) return before;
  const good = new Map<string, ParsedResource>();
  for (const { key, resource } of loaded.documents) {
    const kept = resource ?? (key === null ? undefined : before.get(key));
    if (key !== null && kept !== undefined && !good.has(key)) good.set(key, kept);
  }
  return good;
}
