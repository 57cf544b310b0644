// The method of a gRPC call, from the path: `/package.Service/Method`.

/** Longer names are nobody's own. */
const pathMax = 256;
const form = /^\/([A-Za-z_][\w.]*)\/([A-Za-z_]\w*)(?:\?|$)/;

/** `package.Service.Method`, or with the dots of the service as underscores. */
export function methodKey(service: string, method: string, underscores: boolean): string {
  return `${underscores ? service.replaceAll('.', '_') : service}.${method}`;
}

/** Null when the path names no method in the way protocol buffers do. */
export function methodOf(path: string, underscores: boolean): string | null {
  if (path.length > pathMax) return null;
  const found = form.exec(path);
  return found === null ? null : methodKey(found[1] as string, found[2] as string, underscores);
}
