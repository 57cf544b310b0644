// Blanks comments, strings and regular expressions of TypeScript source, so that the rest can be searched by simple patterns. The
// result has the same length and the same lines; quotes stay where they are.

const CODE = 0;
const LINE_COMMENT = 1;
const BLOCK_COMMENT = 2;
const QUOTED = 3;
const TEMPLATE = 4;
const PATTERN = 5;

/** What a scan over the source finds, besides the blanked text. */
export interface Blanked {
  readonly code: string;
  /** Numbers of the lines (0-based) that hold nothing but a comment. */
  readonly commentLines: ReadonlySet<number>;
}

/** Blanks everything that is not code. */
export function blank(text: string): Blanked {
  const scan = new Scan(text);
  scan.run();
  return { code: scan.out.join(''), commentLines: commentLines(text, scan.isComment) };
}

class Scan {
  readonly out: string[] = [];
  readonly isComment: boolean[] = [];
  private readonly text: string;
  private at = 0;
  private state = CODE;
  private quote = '';
  private isInClass = false;
  /** Depth of braces at which each open `${` ends. */
  private readonly templates: number[] = [];
  private depth = 0;

  constructor(text: string) {
    this.text = text;
  }

  run(): void {
    while (this.at < this.text.length) this.step();
  }

  private step(): void {
    if (this.state === CODE) this.inCode();
    else if (this.state === LINE_COMMENT) this.inLineComment();
    else if (this.state === BLOCK_COMMENT) this.inBlockComment();
    else if (this.state === QUOTED) this.inQuoted();
    else if (this.state === TEMPLATE) this.inTemplate();
    else this.inPattern();
  }

  private inCode(): void {
    const { text, at } = this;
    if (text.startsWith('//', at)) this.enter(LINE_COMMENT);
    else if (text.startsWith('/*', at)) this.enter(BLOCK_COMMENT);
    else this.inPlainCode(text[at] as string);
  }

  private inPlainCode(character: string): void {
    if (character === "'" || character === '"') {
      this.quote = character;
      this.state = QUOTED;
    } else if (character === '`') {
      this.state = TEMPLATE;
    } else if (character === '/' && this.startsPattern()) {
      this.state = PATTERN;
    } else if (character === '{') {
      this.depth++;
    } else if (character === '}') {
      this.closeBrace();
    }
    this.keep(1);
  }

  private closeBrace(): void {
    this.depth--;
    if (this.templates.at(-1) !== this.depth) return;
    this.templates.pop();
    this.state = TEMPLATE;
  }

  private inLineComment(): void {
    if (this.text[this.at] === '\n') this.state = CODE;
    this.hide(1, true);
  }

  private inBlockComment(): void {
    const isEnd = this.text.startsWith('*/', this.at);
    if (isEnd) this.state = CODE;
    this.hide(isEnd ? 2 : 1, true);
  }

  private inQuoted(): void {
    const character = this.text[this.at];
    if (character !== this.quote) {
      this.hide(character === '\\' ? 2 : 1);
      return;
    }
    this.state = CODE;
    this.keep(1);
  }

  private inTemplate(): void {
    const character = this.text[this.at];
    if (this.text.startsWith('${', this.at)) {
      this.templates.push(this.depth);
      this.depth++;
      this.state = CODE;
      this.keep(2);
    } else if (character === '`') {
      this.state = CODE;
      this.keep(1);
    } else {
      this.hide(character === '\\' ? 2 : 1);
    }
  }

  private inPattern(): void {
    const character = this.text[this.at];
    if (character === '[') this.isInClass = true;
    else if (character === ']') this.isInClass = false;
    else if (character === '\n' || (character === '/' && !this.isInClass)) this.state = CODE;
    this.hide(character === '\\' ? 2 : 1);
  }

  // A slash begins a regular expression where no operand stands before it.
  private startsPattern(): boolean {
    const before = this.out.slice(-40).join('').trimEnd();
    if (before === '') return true;
    return /[(,=:[!&|?{};>+\-*%<~^]$/.test(before) || /\b(?:return|typeof|case|in|of|do|else|void)$/.test(before);
  }

  private enter(state: number): void {
    this.state = state;
    this.hide(2, true);
  }

  private keep(count: number): void {
    for (let i = 0; i < count; i++, this.at++) {
      this.out.push(this.text[this.at] as string);
      this.isComment.push(false);
    }
  }

  private hide(count: number, isComment = false): void {
    for (let i = 0; i < count && this.at < this.text.length; i++, this.at++) {
      this.out.push(this.text[this.at] === '\n' ? '\n' : ' ');
      this.isComment.push(isComment);
    }
  }
}

function commentLines(text: string, isComment: readonly boolean[]): ReadonlySet<number> {
  const found = new Set<number>();
  let at = 0;
  for (const [number, line] of text.split('\n').entries()) {
    const first = line.search(/\S/);
    if (first >= 0 && isComment[at + first] === true) found.add(number);
    at += line.length + 1;
  }
  return found;
}
