// What RFC 9113 §8.2 and §8.3 ask of the fields of a request, checked without the proxy's own rules.

export type Field = readonly [name: string, value: string];

const hopByHop = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade']);
const token = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;

/** Everything that is wrong with a request's header section. */
export function requestFaults(fields: readonly Field[]): string[] {
  return [...pseudoFaults(fields), ...fieldFaults(fields.filter(([name]) => !name.startsWith(':')))];
}

/** Everything that is wrong with a trailer section. */
export function trailerFaults(fields: readonly Field[]): string[] {
  const pseudo = fields.filter(([name]) => name.startsWith(':')).map(([name]) => `${name} in trailers`);
  return [...pseudo, ...fieldFaults(fields.filter(([name]) => !name.startsWith(':')))];
}

function fieldFaults(fields: readonly Field[]): string[] {
  return fields.flatMap(([name, value]) => {
    if (!token.test(name)) return [`field name ${JSON.stringify(name)}`];
    if (hopByHop.has(name)) return [`connection-specific field ${name}`];
    if (name === 'te' && value !== 'trailers') return [`te: ${value}`];
    if (/[\0\r\n]/.test(value) || /^[ \t]|[ \t]$/.test(value)) return [`value of ${name}: ${JSON.stringify(value)}`];
    return [];
  });
}

function pseudoFaults(fields: readonly Field[]): string[] {
  const faults: string[] = [];
  const firstPlain = fields.findIndex(([name]) => !name.startsWith(':'));
  const pseudo = new Map<string, string>();
  fields.forEach(([name, value], at) => {
    if (!name.startsWith(':')) return;
    if (firstPlain >= 0 && at > firstPlain) faults.push(`${name} behind a plain field`);
    if (pseudo.has(name)) faults.push(`${name} twice`);
    if (!/^:(?:method|scheme|path|authority|protocol)$/.test(name)) faults.push(`unknown ${name}`);
    pseudo.set(name, value);
  });
  return [...faults, ...presenceFaults(pseudo), ...hostFaults(pseudo, fields)];
}

function presenceFaults(pseudo: ReadonlyMap<string, string>): string[] {
  const method = pseudo.get(':method');
  if (method === undefined) return [':method is missing'];
  const isPlainConnect = method === 'CONNECT' && !pseudo.has(':protocol');
  if (isPlainConnect) {
    const extra = [':scheme', ':path'].filter((name) => pseudo.has(name)).map((name) => `${name} in CONNECT`);
    return pseudo.has(':authority') ? extra : [...extra, ':authority is missing in CONNECT'];
  }
  const missing = [':scheme', ':path'].filter((name) => !pseudo.has(name)).map((name) => `${name} is missing`);
  const path = pseudo.get(':path') ?? '/';
  const isFine = path.startsWith('/') || (path === '*' && method === 'OPTIONS');
  return isFine ? missing : [...missing, `:path ${JSON.stringify(path)}`];
}

// §8.3.1: both name the same, or an intermediary has let a contradiction through.
function hostFaults(pseudo: ReadonlyMap<string, string>, fields: readonly Field[]): string[] {
  const authority = pseudo.get(':authority');
  const host = fields.find(([name]) => name === 'host')?.[1];
  if (authority === undefined || host === undefined || authority === host) return [];
  return [`host ${host} beside :authority ${authority}`];
}
