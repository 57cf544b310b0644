// Typed calls between two threads of the process, over a message port: some are answered, some are only told. In order, either way.

import { codeOf, messageOf, WeftError } from '@weft/lib/error';

/** What one side answers: by name, what it is given and what comes back. */
export type Calls = Readonly<Record<string, { readonly argument: unknown; readonly answer: unknown }>>;

export type Handlers<C extends Calls> = {
  readonly [K in keyof C]: (argument: C[K]['argument']) => C[K]['answer'] | Promise<C[K]['answer']>;
};

/** A `Worker` from outside, `parentPort` from inside. */
export interface ChannelPort {
  postMessage(message: unknown): void;
  on(event: 'message', listener: (message: unknown) => void): unknown;
}

interface Asked {
  readonly name: string;
  readonly argument: unknown;
  /** 0 expects no answer. */
  readonly id: number;
}

interface Answered {
  readonly answerTo: number;
  readonly value: unknown;
  /** Set when it failed. */
  readonly problem: { readonly code: string; readonly message: string } | null;
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** One end of a conversation: answers `Mine`, asks `Theirs`. */
export class Channel<Mine extends Calls, Theirs extends Calls> {
  /** Told of what went wrong where nobody waits for an answer. */
  onError: (error: unknown) => void = (error) => {
    throw error;
  };
  private readonly port: ChannelPort;
  private readonly handlers: Handlers<Mine>;
  private readonly waiting: Map<number, Waiting> = new Map();
  private lastId = 0;
  private isClosed = false;

  constructor(port: ChannelPort, handlers: Handlers<Mine>) {
    this.port = port;
    this.handlers = handlers;
    port.on('message', (message) => this.onMessage(message as Asked | Answered));
  }

  tell<K extends keyof Theirs & string>(name: K, argument: Theirs[K]['argument']): void {
    this.post({ name, argument, id: 0 });
  }

  call<K extends keyof Theirs & string>(name: K, argument: Theirs[K]['argument']): Promise<Theirs[K]['answer']> {
    if (this.isClosed) return Promise.reject(goneError());
    const id = ++this.lastId;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.post({ name, argument, id });
    });
  }

  /** The other thread is gone: nothing will be answered any more. */
  close(): void {
    this.isClosed = true;
    for (const one of this.waiting.values()) one.reject(goneError());
    this.waiting.clear();
  }

  private post(message: Asked | Answered): void {
    if (!this.isClosed) this.port.postMessage(message);
  }

  private onMessage(message: Asked | Answered): void {
    if (this.isClosed) return;
    if ('answerTo' in message) this.onAnswer(message);
    else if (message.id === 0) this.run(message).catch((error: unknown) => this.onError(error));
    else void this.answer(message);
  }

  private onAnswer({ answerTo, value, problem }: Answered): void {
    const one = this.waiting.get(answerTo);
    this.waiting.delete(answerTo);
    if (problem === null) one?.resolve(value);
    else one?.reject(new WeftError(problem.code, problem.message));
  }

  private async answer(asked: Asked): Promise<void> {
    const answerTo = asked.id;
    try {
      this.post({ answerTo, value: await this.run(asked), problem: null });
    } catch (error) {
      this.post({ answerTo, value: null, problem: { code: codeOf(error), message: messageOf(error) } });
    }
  }

  // The first step is taken within the message's turn, so that what is told in order happens in order.
  private async run({ name, argument }: Asked): Promise<unknown> {
    return this.handlers[name]?.(argument);
  }
}

function goneError(): WeftError {
  return new WeftError('worker', 'the worker is gone');
}
