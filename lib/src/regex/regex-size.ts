// How large the program of a regular expression will be, told from its text: to compile it first would take the time that is to be saved.

const repetition = /\{(\d+)(?:,(\d*))?\}/y;
const namedClass = /\[:\^?[a-z]{1,10}:\]/y;
/** A quotation, a code point or class by its name in braces, or one character. */
const escaped = /\\(?:Q.*?(?:\\E|$)|[xpP]\{\^?\w{1,40}\}|.)/sy;

/** About the number of instructions that a pattern compiles to; a sum of what is written, repetitions counted out. Never throws. */
export function estimateProgramSize(pattern: string): number {
  const outer: number[] = [];
  let size = 0;
  let last = 0;
  for (let at = 0; at < pattern.length; ) {
    const character = pattern[at];
    repetition.lastIndex = at;
    const repeated = character === '{' ? repetition.exec(pattern) : null;
    if (repeated !== null) {
      const grown = last * timesOf(repeated);
      size += grown - last;
      last = grown;
      at += repeated[0].length;
    } else if (character === '(') {
      outer.push(size);
      size = 0;
      at += pattern.startsWith('(?:', at) ? 3 : 1;
    } else if (character === ')') {
      last = size + 2;
      size = (outer.pop() ?? 0) + last;
      at++;
    } else {
      last = 1;
      size++;
      at = atomEnd(pattern, at);
    }
  }
  return outer.reduce((sum, before) => sum + before, size);
}

function timesOf([, least = '', most]: RegExpExecArray): number {
  return Math.max(1, Number(least), Number(most ?? 0));
}

/** Behind one character, escape or class. */
function atomEnd(pattern: string, at: number): number {
  if (pattern[at] === '\\') {
    escaped.lastIndex = at;
    return escaped.test(pattern) ? escaped.lastIndex : pattern.length;
  }
  if (pattern[at] !== '[') return at + 1;
  // The first ] of a class is one of its members.
  let end = pattern[at + 1] === '^' ? at + 3 : at + 2;
  for (; end < pattern.length && pattern[end] !== ']'; end++) {
    if (pattern[end] === '\\') end++;
    else if (pattern[end] === '[') end += namedClassLength(pattern, end);
  }
  return Math.min(pattern.length, end + 1);
}

/** Of `[:alpha:]`, but for its last character; 0 where none begins. */
function namedClassLength(pattern: string, at: number): number {
  namedClass.lastIndex = at;
  return namedClass.test(pattern) ? namedClass.lastIndex - at - 1 : 0;
}
