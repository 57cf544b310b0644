// Paths of Unix sockets as messages give them.

/** What the system takes: as Envoy, `@name` is a name of Linux' abstract namespace, which has no file. */
export function systemPath(path: string): string {
  return isAbstract(path) ? `\0${path.slice(1)}` : path;
}

export function isAbstract(path: string): boolean {
  return path.startsWith('@');
}
