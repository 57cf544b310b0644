// What a response holds, resource by resource: what can be taken, and what speaks against the rest.
import { hasErrors, type Issue, resourcePath } from '@weft/lib/issue';
import { ProtobufError, typeNameOf } from '@weft/lib/protobuf/codec';
import { decodeLayout } from '@weft/lib/protobuf/decode';
import { isMessageObject } from '@weft/lib/protobuf/message-form';
import { layoutOf } from '@weft/lib/protobuf/schema';
import { checkSupport } from '../bootstrap/support.ts';
import { nameHint, ownMemory, type ReceivedResource, type ReceivedUpdate } from './received.ts';
import type { KindSpec } from './resource-kind.ts';

/** What the resources of a response are compared with. */
export interface Known {
  readonly accepted: ReadonlyMap<string, { readonly resource: ReceivedResource['resource'] }>;
  /** Names of static resources. */
  readonly reserved: ReadonlySet<string>;
  /** What nobody asks for, or asks for no longer, is neither an error nor taken. */
  isWanted(name: string): boolean;
}

export class ResponseCheck {
  readonly issues: Issue[] = [];
  /** Whatever is in it, taken or not, by name. */
  readonly seen: Set<string> = new Set();
  readonly refused: Set<string> = new Set();
  /** What can be taken; those that differ from what is in force also as messages. */
  readonly received: Map<string, ReceivedResource> = new Map();
  readonly messages: Map<string, unknown> = new Map();
  /** It has resources of which not even the name can be told. */
  hasNameless = false;
  private readonly spec: KindSpec;
  private readonly known: Known;

  constructor(spec: KindSpec, known: Known, update: ReceivedUpdate) {
    this.spec = spec;
    this.known = known;
    update.resources.forEach((received, index) => {
      this.checkOne(received, index);
    });
    for (const name of update.removed) {
      if (this.seen.has(name))
        this.refuse(name, 'WEFT0142', 'is both sent and removed in one response; do one of the two');
    }
  }

  /** Refuses the resources that errors name; false when one of them names none. */
  refuseNamed(errors: readonly Issue[]): boolean {
    const names = new Map([...this.messages.keys()].map((name) => [resourcePath(this.spec.kind, name), name]));
    const named = errors.map(({ path = '' }) => namedBy(path, names));
    for (const name of named) if (name !== null) this.drop(name);
    return !named.includes(null);
  }

  /** Refuses all that could be taken. */
  refuseAll(): void {
    for (const name of [...this.received.keys()]) this.drop(name);
  }

  private checkOne(received: ReceivedResource, index: number): void {
    const { spec } = this;
    const known = this.knownName(received);
    if (known !== null) {
      if (this.noteName(known)) this.received.set(known, received);
      return;
    }
    const own = ownMemory(received);
    const message = this.decode(own, index);
    if (message === null) return;
    const named = isMessageObject(message) ? message[spec.nameField] : undefined;
    const name = typeof named === 'string' ? named : received.name;
    if (name === '' || (received.name !== '' && received.name !== name)) {
      const problem =
        name === '' ? 'has no name; give it one' : `is named "${name}" inside; send it under its own name`;
      this.refuseAt(received.name, index, 'WEFT0141', problem);
      return;
    }
    if (this.known.isWanted(name) && this.noteName(name)) this.take(name, own, message);
  }

  private take(name: string, received: ReceivedResource, message: unknown): void {
    const problem = 'has the name of a static resource of the bootstrap; rename one of them';
    if (this.known.reserved.has(name)) this.refuse(name, 'WEFT0145', problem);
    if (received.ttlMs > 0)
      this.refuse(name, 'WEFT0143', 'asks for a time to live, which is not carried out; send it without ttl');
    const support = checkSupport(this.spec.typeName, message, resourcePath(this.spec.kind, name));
    this.issues.push(...support);
    if (hasErrors(support)) this.drop(name);
    if (this.refused.has(name)) return;
    this.messages.set(name, message);
    this.received.set(name, received);
  }

  /** The name of a resource whose bytes are those in force: what was checked once is not checked again. */
  private knownName(received: ReceivedResource): string | null {
    const name = nameHint(received);
    const accepted = this.known.accepted.get(name);
    if (accepted === undefined || received.ttlMs > 0) return null;
    const isSame = Buffer.from(accepted.resource.value).equals(received.resource.value);
    return isSame && accepted.resource.typeUrl === received.resource.typeUrl ? name : null;
  }

  private noteName(name: string): boolean {
    if (this.seen.has(name)) {
      this.refuse(name, 'WEFT0142', 'is sent twice in one response; send it once');
      return false;
    }
    this.seen.add(name);
    return true;
  }

  private decode(received: ReceivedResource, index: number): unknown {
    const { spec } = this;
    const actual = typeNameOf(received.resource);
    if (actual !== spec.typeName) {
      this.refuseAt(received.name, index, 'WEFT0144', `holds ${actual || 'nothing'} where ${spec.typeName} belongs`);
      return null;
    }
    try {
      return decodeLayout(layoutOf(spec.typeName), received.resource.value);
    } catch (thrown) {
      if (!(thrown instanceof ProtobufError)) throw thrown;
      this.refuseAt(nameHint(received), index, thrown.code, thrown.message);
      return null;
    }
  }

  private refuse(name: string, code: string, message: string): void {
    this.issues.push({ code, level: 'error', path: resourcePath(this.spec.kind, name), message });
    this.drop(name);
  }

  /** One that cannot be read: what its name is said to be is only told by others, if at all. */
  private refuseAt(name: string, index: number, code: string, message: string): void {
    if (name !== '') {
      this.seen.add(name);
      this.refuse(name, code, message);
      return;
    }
    this.hasNameless = true;
    this.issues.push({ code, level: 'error', path: `${this.spec.kind}[${index}]`, message });
  }

  private drop(name: string): void {
    this.refused.add(name);
    this.messages.delete(name);
    this.received.delete(name);
  }
}

/** The resource in which a place is; `names` are by their own place. */
function namedBy(path: string, names: ReadonlyMap<string, string>): string | null {
  for (let end = path.indexOf('"]'); end >= 0; end = path.indexOf('"]', end + 1)) {
    const name = names.get(path.slice(0, end + 2));
    if (name !== undefined) return name;
  }
  return null;
}
