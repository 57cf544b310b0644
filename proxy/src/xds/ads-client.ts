// The xDS client of a process: one stream to the control plane, all kinds of resource on it. It keeps everything it accepted while
// the control plane is away, and takes up where it was when it comes back.
//
// Of a response what is good is taken, and what is not is refused by name (decision 0016): decoded, checked against what Weft carries
// out, prepared by its target, and only then committed; it is acknowledged when all of it was good. Responses that arrive together take effect in the order of `kindSpecs`; removals come last.
import type { Socket } from 'node:net';
import type { envoy } from '@weft/api/xds/types';
import type { Clock, Timer } from '@weft/lib/clock';
import { messageOf, stackOf } from '@weft/lib/error';
import { defaultFetchTimeoutMs } from '@weft/lib/fetch-timeout';
import { formatIssue, hasErrors, type Issue } from '@weft/lib/issue';
import { type Log, silentLog } from '@weft/lib/log';
import type { Gauge, MetricsRegistry } from '@weft/lib/metrics';
import { decodeMessage, ProtobufError } from '@weft/lib/protobuf/codec';
import { type AdsState, type ResourceView, viewOfKind, viewsOfResources } from './ads-state.ts';
import { BackOff } from './back-off.ts';
import { type EndManner, GrpcCall } from './grpc/grpc-call.ts';
import { formatStatus, type GrpcStatus } from './grpc/status.ts';
import { Incremental } from './incremental.ts';
import type { Node, Response, XdsProtocol } from './protocol.ts';
import { type CheckedUpdate, ResourceChannel } from './resource-channel.ts';
import { kindSpecs } from './resource-kind.ts';
import { RouteInterest } from './route-interest.ts';
import { routeNamesOf } from './route-names.ts';
import { StateOfTheWorld } from './state-of-the-world.ts';
import type { ResourceKind, ResourceTarget, ResourceTargets } from './target.ts';

export interface AdsClientOptions {
  readonly clock: Clock;
  /** Uniform in [0, 1), for jitter. */
  readonly random: () => number;
  /** Opens the transport to the control plane, plain or TLS (ALPN `h2`); may throw. */
  readonly connect: () => Socket;
  readonly isTls: boolean;
  /** `:authority` of the calls. */
  readonly authority: string;
  readonly variant: 'GRPC' | 'DELTA_GRPC';
  /** `ads` carries every kind; `sds` is a server of secrets only, such as one beside the proxy on a Unix socket. */
  readonly service?: 'ads' | 'sds';
  readonly node: Node;
  /** Send the node on the first request of a stream only. */
  readonly nodeOnce?: boolean;
  /** `initial_metadata` of the gRPC service, lower-case names. */
  readonly metadata?: Readonly<Record<string, string>>;
  readonly targets: ResourceTargets;
  /** By kind; without it 15 s, 0 waits for ever. Routes take theirs from the listener. */
  readonly initialFetchTimeoutMs?: Partial<Record<ResourceKind, number>>;
  /** Names that belong to static resources: one that comes under such a name is refused. */
  readonly reservedNames?: Partial<Record<ResourceKind, ReadonlySet<string>>>;
  readonly metrics?: MetricsRegistry;
  readonly log?: Log;
  readonly connectTimeoutMs?: number;
  readonly messageLimitBytes?: number;
  readonly pingIntervalMs?: number;
  readonly pingTimeoutMs?: number;
  /** Calls back when every thread has made what was committed: only then is it acknowledged. Without it that is at once. */
  readonly settle?: (done: () => void) => void;
  /** What of these resources could not be carried out after all, asked when all is settled: that refuses the update. */
  readonly verify?: (kind: ResourceKind, names: readonly string[]) => readonly Issue[];
  /** Listeners that serve, also where a newer version of them was taken and waits. */
  readonly listenersInUse?: () => Iterable<envoy.config.listener.v3.Listener>;
  /** Told when the stream comes up or goes down, and after every answer: what admin pages show may have changed. */
  readonly onStateChange?: () => void;
}

const baseDelayMs = 500;
const maxDelayMs = 30_000;
const refusalLimitBytes = 64 * 1024;
// A server that finds PINGs too frequent is asked less often, twice each time, up to this.
const maxPingIntervalMs = 3_600_000;

interface Arrived {
  readonly channel: ResourceChannel;
  readonly response: Response;
}

/** Resources that go at the end of a turn. */
interface Removal {
  readonly channel: ResourceChannel;
  names: readonly string[];
  readonly version: string;
}

/** What was looked at and is to be answered. */
interface Judged extends Arrived {
  /** Of what was acknowledged before it. */
  readonly versionBefore: string;
  /** Null for an ACK. */
  readonly refusal: string | null;
}

/** Makes one client per stream: `start`, `setNames`, `close`. */
export class AdsClient {
  private readonly options: AdsClientOptions;
  private readonly log: Log;
  private readonly backOff: BackOff;
  private readonly channels: Map<ResourceKind, ResourceChannel> = new Map();
  private readonly byTypeUrl: Map<string, ResourceChannel> = new Map();
  private readonly connectedGauge: Gauge | null;
  private call: GrpcCall | null = null;
  private protocol: XdsProtocol | null = null;
  private retryTimer: Timer | null = null;
  private arrived: Arrived[] = [];
  private unanswered: Judged[] = [];
  /** Updates that were committed and refused all the same: acknowledged when nothing stands against them any more. */
  private withheld: Judged[] = [];
  private isTurnScheduled = false;
  private isStarted = false;
  private isConnected = false;
  private controlPlane = '';
  private lastError = '';
  private attempts = 0;
  private readonly routeInterest: RouteInterest;
  private pingIntervalMs: number;
  private initializedCallback: (() => void) | null = null;

  constructor(options: AdsClientOptions) {
    this.options = options;
    this.log = options.log ?? silentLog(options.clock);
    this.pingIntervalMs = options.pingIntervalMs ?? 60_000;
    this.backOff = new BackOff(baseDelayMs, maxDelayMs, options.random);
    this.connectedGauge = options.metrics?.scope({ prefix: 'control_plane' }).gauge('connected_state') ?? null;
    for (const spec of kindSpecs) {
      const target = options.targets[spec.kind];
      if (target === undefined) continue;
      const scope = options.metrics?.scope({ prefix: spec.statPrefix }) ?? null;
      // Each target takes the message of its own kind; the channel decodes exactly that.
      const channel = new ResourceChannel(spec, target as ResourceTarget<unknown>, options.clock, scope);
      channel.reserved = options.reservedNames?.[spec.kind] ?? channel.reserved;
      channel.onInitialized = () => this.announceInitialized();
      this.channels.set(spec.kind, channel);
      this.byTypeUrl.set(spec.typeUrl, channel);
    }
    const isInUse = (name: string): boolean => routeNamesOf(options.listenersInUse?.() ?? []).has(name);
    this.routeInterest = new RouteInterest(options.clock, isInUse, (names, timeoutOf) => {
      if (this.channels.get('route')?.setWanted(names, timeoutOf) === true) this.scheduleTurn();
    });
    const listeners = this.channels.get('listener');
    if (listeners !== undefined) listeners.onAccepted = () => this.followRoutes(listeners);
  }

  /** Opens the stream; from now on it is kept open. */
  start(): void {
    if (this.isStarted) return;
    this.isStarted = true;
    for (const channel of this.channels.values()) {
      if (channel.spec.isWildcard) channel.awaitFirst(this.timeoutOf(channel.spec.kind));
    }
    this.open();
  }

  /** Sets the names wanted of a kind, in place of those before. For routes these come on top of what dynamic listeners refer to. */
  setNames(kind: ResourceKind, names: Iterable<string>): void {
    const channel = this.channels.get(kind);
    if (channel === undefined || channel.spec.isWildcard) return;
    if (kind === 'route') this.routeInterest.setFixed(new Map([...names].map((name) => [name, this.timeoutOf(kind)])));
    else if (channel.setWanted(names, () => this.timeoutOf(kind))) this.scheduleTurn();
  }

  /** Route names of listeners that did not come by xDS. */
  setStaticListeners(listeners: Iterable<envoy.config.listener.v3.Listener>): void {
    this.routeInterest.setFixed(routeNamesOf(listeners));
  }

  /** Whether every kind of which everything is wanted has come once, or did not come in its time. */
  get isInitialized(): boolean {
    return [...this.channels.values()].every((channel) => !channel.spec.isWildcard || channel.isInitialized);
  }

  /** Calls back once `isInitialized`, at once if it is already. */
  onInitialized(callback: () => void): void {
    if (this.isInitialized) callback();
    else this.initializedCallback = callback;
  }

  /** Tries at once instead of waiting: what the connection needs (a certificate) has come. */
  retryNow(): void {
    if (!this.isStarted || this.retryTimer === null) return;
    this.retryTimer.stop();
    this.backOff.reset();
    this.open();
  }

  /** Ends the stream for good. What was accepted stays in the targets. */
  close(): void {
    this.isStarted = false;
    this.retryTimer?.stop();
    this.retryTimer = null;
    this.call?.close();
    this.call = null;
    this.protocol = null;
    this.arrived = [];
    this.unanswered = [];
    this.withheld = [];
    for (const channel of this.channels.values()) channel.dispose();
    this.routeInterest.dispose();
    this.setConnected(false);
  }

  /** For `/config_dump`, `/clusters` and `weft status`. */
  state(): AdsState {
    const kinds = [...this.channels.values()].map(viewOfKind);
    const { isConnected, controlPlane, lastError, attempts } = this;
    return { isConnected, controlPlane, lastError, attempts, kinds };
  }

  /** Every resource of a kind: in force, refused, or asked for and not come. */
  resources(kind: ResourceKind): ResourceView[] {
    const channel = this.channels.get(kind);
    return channel === undefined ? [] : viewsOfResources(channel);
  }

  // ---- connection

  private open(): void {
    this.retryTimer = null;
    this.attempts++;
    const { options } = this;
    const isDelta = options.variant === 'DELTA_GRPC';
    const Protocol = isDelta ? Incremental : StateOfTheWorld;
    this.protocol = new Protocol(options.node, options.nodeOnce ?? false);
    for (const channel of this.channels.values()) channel.beginStream();
    const call = new GrpcCall(
      {
        clock: options.clock,
        connect: options.connect,
        authority: options.authority,
        isTls: options.isTls,
        path: methodPath(options.service ?? 'ads', isDelta),
        metadata: options.metadata ?? {},
        connectTimeoutMs: options.connectTimeoutMs ?? 5_000,
        messageLimitBytes: options.messageLimitBytes ?? 128 * 1024 * 1024,
        pingIntervalMs: this.pingIntervalMs,
        pingTimeoutMs: options.pingTimeoutMs ?? 10_000,
      },
      {
        onOpen: () => this.sendRequests(),
        onMessage: (message) => this.onMessage(call, message),
        onEnd: (status, manner) => this.onEnd(call, status, manner),
      },
    );
    this.call = call;
  }

  private onEnd(call: GrpcCall, status: GrpcStatus, manner: EndManner): void {
    if (call !== this.call) return;
    this.call = null;
    this.protocol = null;
    // An answer to what came before could not be sent any more: the next stream brings it again.
    this.arrived = [];
    this.unanswered = [];
    this.withheld = [];
    this.lastError = formatStatus(status);
    if (manner === 'too-many-pings') this.pingIntervalMs = Math.min(maxPingIntervalMs, this.pingIntervalMs * 2);
    const wasConnected = this.isConnected;
    this.setConnected(false);
    if (!this.isStarted) return;
    // A server that asked to go away was well a moment ago; the next one is tried soon, but with jitter.
    const delayMs = this.backOff.nextMs();
    const fields = { reason: this.lastError, delayMs: Math.round(delayMs), attempt: this.attempts };
    if (wasConnected && manner !== 'failed')
      this.log.info('The control plane ended the stream; the configuration stays in force', fields);
    else this.log.warn('No stream to the control plane; the configuration stays in force', fields);
    this.retryTimer = this.options.clock.start(delayMs, reopen, this);
    this.options.onStateChange?.();
  }

  /** Called by the timer. */
  reopen(): void {
    if (this.isStarted) this.open();
  }

  private setConnected(isConnected: boolean): void {
    this.isConnected = isConnected;
    this.connectedGauge?.set(isConnected ? 1 : 0);
  }

  // ---- requests

  private sendRequests(): void {
    const { call, protocol } = this;
    if (call === null || protocol === null) return;
    for (const channel of this.channels.values()) {
      // The answer to a response that is waiting will carry the names.
      if (this.isToBeAnswered(channel)) continue;
      for (let next = protocol.request(channel); next !== null; next = protocol.request(channel)) call.send(next);
    }
  }

  private isToBeAnswered(channel: ResourceChannel): boolean {
    const isOfIt = (entry: Arrived): boolean => entry.channel === channel;
    return this.arrived.some(isOfIt) || this.unanswered.some(isOfIt);
  }

  private scheduleTurn(): void {
    if (this.isTurnScheduled) return;
    this.isTurnScheduled = true;
    setImmediate(() => this.runTurn());
  }

  /** Everything that arrived since the last turn, then what is newly wanted. */
  private runTurn(): void {
    this.isTurnScheduled = false;
    if (!this.isStarted) return;
    const order = [...this.channels.values()];
    const batch = this.arrived.sort((a, b) => order.indexOf(a.channel) - order.indexOf(b.channel));
    this.arrived = [];
    const removals: Removal[] = [];
    // A newer response of a kind is answered in place of what went before it.
    this.withheld = this.withheld.filter((one) => !batch.some(({ channel }) => channel === one.channel));
    const judged = batch.map((entry) => this.apply(entry, removals));
    for (const { channel, names, version } of removals) channel.remove(names, version);
    this.unanswered.push(...judged);
    if (batch.length > 0) this.options.onStateChange?.();
    const { settle } = this.options;
    if (settle === undefined || batch.length === 0) this.answer(judged);
    else settle(() => this.answer(judged));
  }

  /** Answers what is still to be answered on this stream, then asks for what is newly wanted. */
  private answer(judged: readonly Judged[]): void {
    for (const one of judged) {
      if (!this.unanswered.includes(one)) continue;
      this.unanswered = this.unanswered.filter((other) => other !== one);
      this.send(one, this.verify(one));
    }
    if (this.call !== null && this.isStreamOpen()) this.sendRequests();
  }

  private send({ channel, response }: Judged, refusal: string | null): void {
    if (refusal === null) channel.confirm(response.update.version);
    else channel.countRefusal();
    const answer = this.protocol?.answer(channel, response, refusal);
    if (answer !== undefined) this.call?.send(answer);
  }

  /** What speaks against an update, also now that it was committed, or null. */
  private verify(one: Judged): string | null {
    const issues = this.problemsOf(one);
    if (issues.length === 0) return one.refusal;
    one.channel.version = one.versionBefore;
    const message = 'An update could not be carried out whole and is refused; what is missing is tried again';
    const details = this.refuse(one, issues, message);
    if (one.refusal !== null) return `${one.refusal}\n${details}`;
    // A newer one that came meanwhile is answered in its place, as in `runTurn`.
    if (!this.isToBeAnswered(one.channel)) this.withheld.push(one);
    return details;
  }

  private problemsOf({ channel, response }: Judged): readonly Issue[] {
    return this.options.verify?.(channel.spec.kind, channel.namesOf(response.update)) ?? [];
  }

  /** Something that could not be carried out has been meanwhile. */
  review(): void {
    const over = this.withheld.filter((one) => this.problemsOf(one).length === 0);
    if (over.length === 0) return;
    this.withheld = this.withheld.filter((one) => !over.includes(one));
    for (const one of over) {
      one.channel.noteMended(one.response.update);
      this.send(one, null);
    }
    this.options.onStateChange?.();
  }

  private isStreamOpen(): boolean {
    return this.call?.isOpen === true;
  }

  // ---- responses

  private onMessage(call: GrpcCall, bytes: Buffer): void {
    if (call !== this.call || this.protocol === null) return;
    try {
      const response = this.protocol.parse(bytes);
      this.onAnswered(response);
      const channel = this.byTypeUrl.get(response.typeUrl);
      if (channel === undefined) {
        this.log.warn('The control plane sent a kind of resource that was not asked for', {
          type: response.typeUrl,
        });
        call.send(this.protocol.refuse(response, `${response.typeUrl || 'an empty type'} was not asked for`));
        return;
      }
      this.arrived.push({ channel, response });
      this.scheduleTurn();
    } catch (thrown) {
      if (!(thrown instanceof ProtobufError)) throw thrown;
      // Without its nonce a response cannot be refused; only a new stream can put things right.
      call.fail(`a response is malformed: ${thrown.message}`);
    }
  }

  private onAnswered(response: Response): void {
    this.controlPlane = response.controlPlane;
    if (this.isConnected) return;
    this.backOff.reset();
    this.attempts = 0;
    this.lastError = '';
    this.setConnected(true);
    this.log.info('Connected to the control plane', { node: this.controlPlane });
    this.options.onStateChange?.();
  }

  private apply(entry: Arrived, removals: Removal[]): Judged {
    const { channel, response } = entry;
    const versionBefore = channel.version;
    const leaving = removals.flatMap((removal) => (removal.channel === channel ? removal.names : []));
    const checked = this.check(channel, response, leaving);
    this.commit(channel, response, checked, removals);
    if (!hasErrors(checked.issues)) return { ...entry, versionBefore, refusal: null };
    const message = 'Refused resources of an update; what is in force of them stays, the rest of the update is taken';
    return { ...entry, versionBefore, refusal: this.refuse(entry, checked.issues, message) };
  }

  /** A defect of ours that a resource brings to light refuses the update: it must not take down every proxy that is sent it. */
  private check(channel: ResourceChannel, response: Response, leaving: readonly string[]): CheckedUpdate {
    try {
      return channel.check(response.update, leaving);
    } catch (thrown) {
      this.log.error('Checking an update failed', { kind: channel.spec.kind, error: thrown, details: stackOf(thrown) });
      const message = `${messageOf(thrown)}; this is a defect of Weft: report it with the resources that brought it about`;
      const issue: Issue = { code: 'WEFT0149', level: 'error', path: channel.spec.kind, message };
      return { issues: [issue], names: new Set(), removed: [], commit: () => {} };
    }
  }

  private commit(channel: ResourceChannel, response: Response, checked: CheckedUpdate, removals: Removal[]): void {
    checked.commit();
    // What comes again by a later response of the same turn is not gone.
    for (const earlier of removals)
      if (earlier.channel === channel) earlier.names = earlier.names.filter((name) => !checked.names.has(name));
    if (checked.removed.length > 0)
      removals.push({ channel, names: checked.removed, version: response.update.version });
    if (!this.log.debugOn) return;
    const { version, resources } = response.update;
    this.log.debug('Accepted an update', { kind: channel.spec.kind, version, count: resources.length });
    for (const issue of checked.issues) this.log.debug('Without effect', { issues: formatIssue(issue) });
  }

  private refuse({ channel, response }: Arrived, issues: readonly Issue[], message: string): string {
    const details = refusalText(issues);
    channel.noteRefusal(response.update, issues, details);
    this.log.error(message, {
      kind: channel.spec.kind,
      version: response.update.version,
      issues: details,
    });
    return details;
  }

  private announceInitialized(): void {
    if (!this.isInitialized) return;
    const callback = this.initializedCallback;
    this.initializedCallback = null;
    callback?.();
  }

  // ---- names

  private timeoutOf(kind: ResourceKind): number {
    return this.options.initialFetchTimeoutMs?.[kind] ?? defaultFetchTimeoutMs;
  }

  private followRoutes(listeners: ResourceChannel): void {
    const messages = [...listeners.accepted.values()].map((accepted) =>
      decodeMessage('envoy.config.listener.v3.Listener', accepted.resource.value),
    );
    this.routeInterest.setListeners(messages);
  }
}

function reopen(client: AdsClient): void {
  client.reopen();
}

function methodPath(service: 'ads' | 'sds', isDelta: boolean): string {
  if (service === 'sds')
    return `/envoy.service.secret.v3.SecretDiscoveryService/${isDelta ? 'DeltaSecrets' : 'StreamSecrets'}`;
  const method = isDelta ? 'DeltaAggregatedResources' : 'StreamAggregatedResources';
  return `/envoy.service.discovery.v3.AggregatedDiscoveryService/${method}`;
}

/** Every error, one line each, up to a size that a status may have. */
function refusalText(issues: readonly Issue[]): string {
  const errors = issues.filter((issue) => issue.level === 'error');
  const lines: string[] = [];
  let size = 0;
  for (const issue of errors) {
    const line = formatIssue(issue);
    size += line.length + 1;
    if (size > refusalLimitBytes) {
      lines.push(`and ${errors.length - lines.length} more`);
      break;
    }
    lines.push(line);
  }
  return lines.join('\n');
}
