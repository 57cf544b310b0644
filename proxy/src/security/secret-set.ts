// Every secret of the process by name: from the bootstrap, from SDS, from files and from the workload's own identity.
// Contexts hold cells, not values, so that a rotation reaches the next handshake and touches no live connection.

import type { envoy } from '@weft/api/xds/types';
import type { Clock } from '@weft/lib/clock';
import { readOnTrial } from '@weft/lib/disk/config-file';
import { fetchTimeoutMs } from '@weft/lib/fetch-timeout';
import { formatIssue, hasErrors, type Issue } from '@weft/lib/issue';
import { type IssueSink, reportError, sinkAt } from './data-source.ts';
import { type FileWatch, FileWatcher } from './file-watch.ts';
import {
  compileCertificateSecret,
  compileSecret,
  compileTicketSecret,
  compileTrustSecret,
  describeLeaf,
  type Secret,
  type SecretContext,
} from './secret.ts';
import { type SecurityLog, silentLog } from './security-log.ts';
import { makeTicketSecret } from './session-tickets.ts';

type SecretMessage = envoy.extensions.transport_sockets.tls.v3.Secret;
type SdsSecretConfig = envoy.extensions.transport_sockets.tls.v3.SdsSecretConfig;
type PathConfigSource = envoy.config.core.v3.PathConfigSource;
type TlsCertificateMessage = envoy.extensions.transport_sockets.tls.v3.TlsCertificate;
type TicketKeysMessage = envoy.extensions.transport_sockets.tls.v3.TlsSessionTicketKeys;
type ValidationContextMessage = envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext;

/** Where a context finds the current version of one secret. */
export class SecretCell {
  /** Empty for certificates that a listener or cluster carries itself. */
  readonly name: string;
  current: Secret | null;

  constructor(name: string, current: Secret | null) {
    this.name = name;
    this.current = current;
  }
}

/** A checked change, not yet made. */
export interface PreparedSecrets {
  readonly issues: readonly Issue[];
  /** Makes the change; only when no issue is an error. */
  commit(): void;
}

type Recompile = (sink: IssueSink) => Secret | null;

/** Reads a file in which secrets stand as SDS would send them; null after reporting what is wrong with it. */
export type SecretFileReader = (path: string, sink: IssueSink) => SecretFile | null;

/** What stands in such a file. */
export interface SecretFile {
  readonly version: string;
  readonly secrets: ReadonlyMap<string, SecretMessage>;
}

/** Secrets by name. Never throws for what a configuration or a file says. */
export class SecretSet {
  readonly clock: Clock;
  readonly log: SecurityLog;
  /** How files of secrets are read. */
  readSecretFile: SecretFileReader = refuseFile;
  /** Called with the names that SDS should bring whenever they may have become more or fewer. */
  onWanted: ((names: readonly string[]) => void) | null = null;
  /** Called when a secret made in the process came, changed or went (null). */
  onLocal: ((name: string, secret: Secret | null) => void) | null = null;
  /** Called after any secret came, changed or went: whoever waits for secrets looks again. */
  onReplaced: (() => void) | null = null;

  private madeTicketSecret: Buffer | null;
  private readonly secrets: Map<string, Secret> = new Map();
  // Weak: a listener that is gone must not keep its secret subscribed.
  private readonly cells: Map<string, WeakRef<SecretCell>> = new Map();
  private readonly ownCells: Set<WeakRef<SecretCell>> = new Set();
  private readonly remoteNames: Set<string> = new Set();
  /** How long whoever needs it waits for one of these names, milliseconds; 0 for ever. */
  private readonly fetchTimeouts: Map<string, number> = new Map();
  private readonly localNames: Set<string> = new Set();
  private readonly listeners: Map<string, Set<(secret: Secret | null) => void>> = new Map();
  private readonly watches: Map<string, FileWatch> = new Map();
  private readonly watcher: FileWatcher;
  private readonly gone: FinalizationRegistry<() => void>;

  /** `ticketSecret` is that of the process, where another thread made it. */
  constructor(clock: Clock, log: SecurityLog = silentLog, ticketSecret: Buffer | null = null) {
    this.clock = clock;
    this.log = log;
    this.madeTicketSecret = ticketSecret;
    this.watcher = new FileWatcher(clock);
    this.gone = new FinalizationRegistry((forget) => forget());
  }

  /** What tickets of TLS sessions are made from; made when it is first needed. */
  get ticketSecret(): Buffer {
    this.madeTicketSecret ??= makeTicketSecret();
    return this.madeTicketSecret;
  }

  /** Checks a whole SDS response (or the bootstrap's secrets) and holds it ready. */
  prepare(
    set: ReadonlyMap<string, SecretMessage>,
    remove: readonly string[],
    version: string,
    pathOf: (name: string) => string = (name) => `secret[${name}]`,
  ): PreparedSecrets {
    const issues: Issue[] = [];
    const compiled: [Secret, SecretMessage][] = [];
    for (const [name, message] of set) {
      const secret = compileSecret(message, this.context(name, version), { issues, path: pathOf(name) });
      if (secret !== null) compiled.push([secret, message]);
    }
    const commit = (): void => {
      // The workload's own identity is nobody else's to give or to take.
      for (const name of remove) if (!this.localNames.has(name)) this.remove(name);
      for (const [secret, message] of compiled)
        if (!this.localNames.has(secret.name)) this.commitSecret(secret, message);
    };
    return { issues, commit };
  }

  /** The current version, or null while there is none. */
  get(name: string): Secret | null {
    return this.secrets.get(name) ?? null;
  }

  /** Every secret there is, those that listeners and clusters carry themselves included; for `/certs`. */
  all(): Secret[] {
    const own = [...this.ownCells].map((cell) => cell.deref()?.current ?? null);
    return [...this.secrets.values(), ...own.filter((secret) => secret !== null)];
  }

  /** Puts a secret made in the process, such as the workload's identity, in place. */
  put(secret: Secret): void {
    this.unwatch(secret.name);
    this.store(secret);
    this.onLocal?.(secret.name, secret);
  }

  /** Takes a secret of this process out of use. */
  drop(name: string): void {
    this.remove(name);
    this.onLocal?.(name, null);
  }

  /** The cell of a secret that this process fills itself. */
  localCell(name: string): SecretCell {
    return this.cell(name);
  }

  /** Says that this process fills these names itself, so SDS is not asked for them. */
  provideLocally(names: readonly string[]): void {
    for (const name of names) this.localNames.add(name);
    this.announceWanted();
  }

  /** Calls back after each change of that secret; the result ends it. */
  onChange(name: string, callback: (secret: Secret | null) => void): () => void {
    const callbacks = this.listeners.get(name) ?? new Set();
    this.listeners.set(name, callbacks.add(callback));
    return () => {
      callbacks.delete(callback);
    };
  }

  /** Names that contexts in use expect from SDS. */
  wanted(): string[] {
    return [...this.remoteNames].filter(
      (name) => !this.localNames.has(name) && this.cells.get(name)?.deref() !== undefined,
    );
  }

  /** How long a listener without an older version waits for these (`initial_fetch_timeout`), milliseconds; 0 for ever. */
  patienceFor(names: readonly string[]): number {
    const missing = names.filter((name) => !this.secrets.has(name));
    // Nobody serves without the identity that this process gets itself.
    const timeoutOf = (name: string): number => (this.localNames.has(name) ? 0 : (this.fetchTimeouts.get(name) ?? 0));
    const timeouts = missing.map(timeoutOf);
    return timeouts.includes(0) ? 0 : Math.max(0, ...timeouts);
  }

  /** The cell behind an SDS reference. */
  reference(config: SdsSecretConfig, sink: IssueSink): SecretCell | null {
    const name = config.name ?? '';
    if (name === '') return reportError(sinkAt(sink, 'name'), 'WEFT0710', 'the secret reference has no name');
    const source = config.sdsConfig;
    if (source?.pathConfigSource !== undefined) {
      return this.fileCell(name, source.pathConfigSource, sinkAt(sink, 'sds_config.path_config_source'));
    }
    if (source === undefined && !this.secrets.has(name) && !this.localNames.has(name)) {
      const problem = `there is no static secret "${name}"; add it to static_resources.secrets or give an sds_config`;
      return reportError(sink, 'WEFT0712', problem);
    }
    if (source !== undefined) {
      this.remoteNames.add(name);
      this.fetchTimeouts.set(name, fetchTimeoutMs(source));
    }
    return this.cell(name);
  }

  /** A cell for a secret of a file; the file, and those that it names, are watched while the cell is in use. */
  private fileCell(name: string, source: PathConfigSource, sink: IssueSink): SecretCell | null {
    const { path = '', watchedDirectory } = source;
    const watched = [path, ...(watchedDirectory?.path === undefined ? [] : [`${watchedDirectory.path}/.`])];
    const compile: Recompile = (at) => {
      const file = this.readSecretFile(path, at);
      if (file === null) return null;
      const message = file.secrets.get(name);
      if (message === undefined) {
        const problem = `${path} has no secret "${name}", it has ${[...file.secrets.keys()].join(', ') || 'none'}; add it`;
        return reportError(at, 'WEFT0711', problem);
      }
      const secret = compileSecret(message, this.context(name, file.version), at);
      return secret === null ? null : { ...secret, files: [...watched, ...secret.files] };
    };
    return this.ownCell(compile, sink);
  }

  /** A cell for a certificate carried in the context itself; its files are watched while the cell is in use. */
  ownCertificate(message: TlsCertificateMessage, sink: IssueSink): SecretCell | null {
    return this.ownCell((at) => compileCertificateSecret(message, this.context('', 'static'), at), sink);
  }

  /** A cell for validation rules carried in the context itself. */
  ownTrust(message: ValidationContextMessage, sink: IssueSink): SecretCell | null {
    return this.ownCell((at) => compileTrustSecret(message, this.context('', 'static'), at), sink);
  }

  /** A cell for ticket keys carried in the context itself. */
  ownTicketKeys(message: TicketKeysMessage, sink: IssueSink): SecretCell | null {
    return this.ownCell((at) => compileTicketSecret(message, this.context('', 'static'), at), sink);
  }

  /** Looks at every watched file now instead of at its next event. */
  reloadFiles(): void {
    this.watcher.lookRound();
  }

  /** Stops watching files. */
  close(): void {
    this.watcher.close();
  }

  private context(name: string, version: string): SecretContext {
    return { name, version, clock: this.clock };
  }

  private cell(name: string): SecretCell {
    const existing = this.cells.get(name)?.deref();
    if (existing !== undefined) return existing;
    const made = new SecretCell(name, this.get(name));
    const reference = new WeakRef(made);
    this.cells.set(name, reference);
    this.gone.register(made, () => {
      if (this.cells.get(name) !== reference) return;
      this.cells.delete(name);
      this.remoteNames.delete(name);
      this.fetchTimeouts.delete(name);
      this.announceWanted();
    });
    this.announceWanted();
    return made;
  }

  private announceWanted(): void {
    this.onWanted?.(this.wanted());
  }

  private ownCell(compile: Recompile, sink: IssueSink): SecretCell | null {
    const secret = compile(sink);
    if (secret === null) return null;
    const made = new SecretCell('', secret);
    const reference = new WeakRef(made);
    this.ownCells.add(reference);
    this.gone.register(made, () => this.ownCells.delete(reference));
    if (secret.files.length === 0) return made;
    const { path } = sink;
    const watch = this.watcher.watch(secret.files, () => {
      const cell = reference.deref();
      if (cell !== undefined) cell.current = this.recompile(compile, cell.current, path) ?? cell.current;
    });
    this.gone.register(made, () => watch.stop());
    return made;
  }

  private commitSecret(secret: Secret, message: SecretMessage): void {
    this.unwatch(secret.name);
    this.store(secret);
    if (secret.files.length === 0) return;
    const compile: Recompile = (sink) => compileSecret(message, this.context(secret.name, secret.version), sink);
    const watch = this.watcher.watch(secret.files, () => {
      const fresh = this.recompile(compile, this.get(secret.name), `secret[${secret.name}]`);
      if (fresh !== null) this.store(fresh);
    });
    this.watches.set(secret.name, watch);
  }

  /** What the files hold now, or null when that is the same, or no use: then the old version stays and the log says so. */
  private recompile(compile: Recompile, current: Secret | null, path: string): Secret | null {
    const issues: Issue[] = [];
    const fresh = readOnTrial(() => {
      const made = compile({ issues, path });
      return hasErrors(issues) ? null : made;
    });
    if (fresh === null) {
      this.log.warn('changed certificate files are not usable, the old ones stay', { issues: issues.map(formatIssue) });
      return null;
    }
    if (current !== null && isSameContent(current, fresh)) return null;
    const leaf = fresh.certificate?.leaf;
    this.log.info('certificate files reloaded', {
      secret: fresh.name,
      identity: leaf === undefined ? '' : describeLeaf(leaf),
    });
    return fresh;
  }

  private store(secret: Secret): void {
    this.secrets.set(secret.name, secret);
    const cell = this.cells.get(secret.name)?.deref();
    if (cell !== undefined) cell.current = secret;
    this.notify(secret.name, secret);
  }

  private remove(name: string): void {
    this.unwatch(name);
    if (!this.secrets.delete(name)) return;
    const cell = this.cells.get(name)?.deref();
    if (cell !== undefined) cell.current = null;
    this.notify(name, null);
  }

  private notify(name: string, secret: Secret | null): void {
    for (const callback of [...(this.listeners.get(name) ?? [])]) callback(secret);
    this.onReplaced?.();
  }

  private unwatch(name: string): void {
    this.watches.get(name)?.stop();
    this.watches.delete(name);
  }
}

function refuseFile(path: string, sink: IssueSink): null {
  return reportError(sink, 'WEFT0711', `${path} cannot be read: files of secrets are read by a whole proxy only`);
}

const noBytes = Buffer.alloc(0);

function isSameContent(a: Secret, b: Secret): boolean {
  return (
    a.certificate?.chainPem === b.certificate?.chainPem &&
    a.certificate?.keyPem === b.certificate?.keyPem &&
    a.trust?.rootsPem === b.trust?.rootsPem &&
    a.trust?.crlPem === b.trust?.crlPem &&
    a.trust?.rulesText === b.trust?.rulesText &&
    (a.ticketSecret ?? noBytes).equals(b.ticketSecret ?? noBytes)
  );
}
