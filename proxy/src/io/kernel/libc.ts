// The few calls of the C library that Node's sockets do not offer. Loaded when the first listener needs one: it costs 9 MB and 17 ms.

import { createRequire } from 'node:module';
import { messageOf } from '@weft/lib/error';

/** Each gives -1 on failure; `errno` then tells why. */
export interface Libc {
  getsockopt(fd: number, level: number, name: number, value: Uint8Array, length: Uint32Array): number;
  setsockopt(fd: number, level: number, name: number, value: Int32Array, length: number): number;
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Uint8Array, length: number): number;
  close(fd: number): number;
  /** The name of the last error, such as `EPERM`. */
  errno(): string;
}

/** Why the calls cannot be made. */
export interface LibcRefusal {
  readonly code: string;
  readonly reason: string;
}

let loaded: Libc | LibcRefusal | null = null;

/** The calls, or why there are none. The answer is kept. */
export function loadLibc(): Libc | LibcRefusal {
  loaded ??= openLibc(process.platform, () => createRequire(import.meta.url)('koffi') as Koffi);
  return loaded;
}

type Koffi = typeof import('koffi');

const notLinux =
  'only Linux tells where a redirected connection was going; run this proxy on Linux, or use explicit capture';

/** The same, anew; `load` may throw. */
export function openLibc(platform: NodeJS.Platform, load: () => Koffi): Libc | LibcRefusal {
  if (platform !== 'linux') return { code: 'WEFT0850', reason: notLinux };
  try {
    const koffi = load();
    // The process itself: its C library is there whatever file it came from.
    const library = koffi.load(null);
    const names = new Map(Object.entries(koffi.os.errno).map(([name, number]) => [number, name]));
    return {
      getsockopt: library.func('int getsockopt(int fd, int level, int name, uint8_t *value, uint32_t *length)'),
      setsockopt: library.func('int setsockopt(int fd, int level, int name, int *value, uint32_t length)'),
      socket: library.func('int socket(int domain, int type, int protocol)'),
      bind: library.func('int bind(int fd, uint8_t *address, uint32_t length)'),
      close: library.func('int close(int fd)'),
      errno: () => names.get(koffi.errno()) ?? `errno ${koffi.errno()}`,
    };
  } catch (error) {
    const [firstLine = ''] = messageOf(error).split('\n');
    const reason =
      `redirected connections need the package koffi, which cannot be loaded (${firstLine}); ` +
      'install the packages of the proxy again without --omit=optional, on a machine with glibc';
    return { code: 'WEFT0851', reason };
  }
}
