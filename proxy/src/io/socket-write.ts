// Writes straight to the handle below a socket: its `Writable` makes objects, callbacks and ticks for each write, of which a
// connection that keeps to one write at a time needs none. Where Node does not have what that takes, the stream it is (decision 0013).

import type { Socket } from 'node:net';
import { getSystemErrorName } from 'node:util';

/** Who writes: one write at a time. */
export interface Writer {
  /** What was still on its way is with the kernel, or lost for the reason given. */
  onWritten(error: Error | null): void;
}

/** `taken`: the memory is free again. `pending`: it stays as it is until `onWritten`, which may have been called by now. */
export type WriteResult = 'taken' | 'pending';

/** What Node passes to the system for one write, and calls when that is through. */
interface WriteRequest {
  oncomplete: (this: WriteRequest, status: number) => void;
  writer: Writer | null;
  /** Keeps the memory alive. */
  bytes: Buffer | null;
}

/** The part of the handle that is used. The result is an error number of the system, or 0. */
interface WriteHandle {
  writeBuffer(request: WriteRequest, bytes: Buffer): number;
}

/** What lies below `net` in Node; deprecated for want of promises about it, not on its way out. */
interface StreamBinding {
  readonly WriteWrap: new () => WriteRequest;
  readonly streamBaseState: Int32Array;
  readonly kLastWriteWasAsync: number;
}

function findBinding(): StreamBinding | null {
  try {
    const found = (process as unknown as { binding(name: string): Partial<StreamBinding> }).binding('stream_wrap');
    const isWhole =
      typeof found.WriteWrap === 'function' &&
      typeof found.kLastWriteWasAsync === 'number' &&
      found.streamBaseState?.[found.kLastWriteWasAsync] !== undefined;
    return isWhole ? (found as StreamBinding) : null;
  } catch {
    return null;
  }
}

const binding = findBinding();

/** The request of the next write. One that Node had to keep is not used again: Node lets go of it only after `oncomplete`. */
let next: WriteRequest | null = null;

function onComplete(this: WriteRequest, status: number): void {
  const { writer } = this;
  this.writer = null;
  this.bytes = null;
  writer?.onWritten(status < 0 ? writeError(status) : null);
}

function makeRequest(WriteWrap: StreamBinding['WriteWrap']): WriteRequest {
  const request = new WriteWrap();
  request.oncomplete = onComplete;
  request.writer = null;
  request.bytes = null;
  return request;
}

function writeError(status: number): Error {
  const code = getSystemErrorName(status);
  return Object.assign(new Error(`write ${code}`), { errno: status, code, syscall: 'write' });
}

/** Writes to one connected socket, to which nobody else writes. */
export class DirectWrite {
  private readonly handle: WriteHandle;
  private readonly node: StreamBinding;

  private constructor(handle: WriteHandle, node: StreamBinding) {
    this.handle = handle;
    this.node = node;
  }

  /** Null where it is not possible, or not yet: the socket is connecting, or its stream still holds bytes. */
  static to(socket: Socket): DirectWrite | null {
    if (binding === null || socket.connecting || socket.writableLength > 0) return null;
    // The stream would end by itself behind the peer's end, whatever is on its way here.
    if (!socket.allowHalfOpen) return null;
    const handle: Partial<WriteHandle> | null | undefined = Reflect.get(socket, '_handle');
    return typeof handle?.writeBuffer === 'function' ? new DirectWrite(handle as WriteHandle, binding) : null;
  }

  /** Bytes go out in the order of the calls; there must be no call before the one before is through. */
  write(bytes: Buffer, writer: Writer): WriteResult | Error {
    const { node } = this;
    const request = next ?? makeRequest(node.WriteWrap);
    next = null;
    // TLS reports a failure from within the call.
    request.writer = writer;
    request.bytes = bytes;
    const status = this.handle.writeBuffer(request, bytes);
    if (status === 0 && node.streamBaseState[node.kLastWriteWasAsync] !== 0) return 'pending';
    request.writer = null;
    request.bytes = null;
    next = request;
    return status === 0 ? 'taken' : writeError(status);
  }
}
