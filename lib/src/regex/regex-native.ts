// The subset of RE2 expressions that the engine's own regular expressions match in linear time: single-character atoms, at most one
// of them repeated without bound, anchored at both ends, so that there is nothing to backtrack into.

/** Optional atoms double the ways to match; a few cost nothing. */
const maxOptional = 3;

const atoms: Readonly<Record<string, string>> = { d: '[0-9]', D: '[^0-9]', w: '[0-9A-Za-z_]', W: '[^0-9A-Za-z_]' };

interface Atom {
  readonly source: string;
  readonly length: number;
}

/** An equivalent whole-text expression, or null when the pattern is outside the subset. */
export function compileNative(pattern: string): RegExp | null {
  const body = pattern.replace(/^\^/, '').replace(/(?<!\\)\$$/, '');
  let source = '';
  let unbounded = 0;
  let optional = 0;
  for (let i = 0; i < body.length; ) {
    const atom = readAtom(body, i);
    if (atom === null) return null;
    i += atom.length;
    source += atom.source;
    const operator = body[i];
    if (operator !== '*' && operator !== '+' && operator !== '?') continue;
    source += operator;
    if (operator === '?') optional++;
    else unbounded++;
    i++;
    // A second operator would make it lazy or possessive, or is an error: left to the automaton.
    if ('*+?{'.includes(body[i] ?? ' ')) return null;
  }
  if (unbounded > 1 || optional > maxOptional) return null;
  return new RegExp(`^${source}$(?![^])`, 'u');
}

function readAtom(body: string, at: number): Atom | null {
  const character = body[at] as string;
  if (character > '\x7e' || character < ' ') return null;
  if (character === '.') return { source: '[^\\n]', length: 1 };
  if (character === '[') return readClass(body, at);
  if (character === '\\') return readEscape(body[at + 1] ?? '');
  return '()|{}^$*+?]'.includes(character) ? null : { source: quote(character), length: 1 };
}

function readEscape(character: string): Atom | null {
  const known = atoms[character];
  if (known !== undefined) return { source: known, length: 2 };
  return /^[!-/:-@[-`{-~]$/.test(character) ? { source: quote(character), length: 2 } : null;
}

// Only classes of plain characters and ranges; sets such as [[:alpha:]] and escapes inside are left to the automaton.
function readClass(body: string, at: number): Atom | null {
  const found = /^\[(\^?)((?:[0-9A-Za-z_ /.,:;=@%~+!]|-)+)\]/.exec(body.slice(at));
  if (found === null) return null;
  const [whole, negation = '', members = ''] = found;
  if (!/^-?(?:[^-](?:-[^-])?)*-?$/.test(members)) return null;
  const escaped = members.replace(/^-/, '\\-').replace(/(?<!\\)-$/, '\\-');
  try {
    new RegExp(`[${escaped}]`, 'u');
  } catch {
    return null;
  }
  return { source: `[${negation}${escaped}]`, length: whole.length };
}

function quote(character: string): string {
  return /[\^$\\.*+?()[\]{}|/]/.test(character) ? `\\${character}` : character;
}
