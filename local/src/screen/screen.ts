// What `weft up` shows: a live table on a terminal, plain lines anywhere else.
import type { StatusRow } from '../mesh/mesh.ts';
import { formatTable } from './table.ts';

/** Where it is shown. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
}

/** Shows notes and the state of the mesh. */
export interface Screen {
  rows(rows: readonly StatusRow[]): void;
  note(text: string): void;
  close(): void;
}

/** The screen that fits the output. */
export function openScreen(output: Output, env: NodeJS.ProcessEnv): Screen {
  return output.isTTY && env.TERM !== 'dumb' && !env.CI
    ? new LiveScreen(output, !env.NO_COLOR)
    : new PlainScreen(output);
}

/** One line per change: for files, pipes and CI. */
class PlainScreen implements Screen {
  private readonly output: Output;
  private readonly states = new Map<string, string>();

  constructor(output: Output) {
    this.output = output;
  }

  rows(rows: readonly StatusRow[]): void {
    for (const { name, state } of rows) {
      if (this.states.get(name) === state) continue;
      this.states.set(name, state);
      this.output.write(`${name}: ${state}\n`);
    }
    const names = new Set(rows.map((row) => row.name));
    for (const name of this.states.keys()) {
      if (names.has(name)) continue;
      this.states.delete(name);
      this.output.write(`${name}: gone\n`);
    }
  }

  note(text: string): void {
    this.output.write(`${text}\n`);
  }

  close(): void {}
}

const frameMs = 80;
const colors: Readonly<Record<string, string>> = { ready: '32', joined: '32', restarting: '31', 'not ready': '33' };

/** An empty line, the head, how many more there are, and the line of the cursor. */
const linesBesideRows = 4;

/** What scrolled off a terminal cannot be erased: of a table that is too long the rows that want attention are shown. */
function rowsThatFit(rows: readonly StatusRow[], limit: number): readonly StatusRow[] {
  if (rows.length <= limit) return rows;
  const isWell = ({ state }: StatusRow): boolean => state === 'ready' || state === 'joined';
  return [...rows.filter((row) => !isWell(row)), ...rows.filter(isWell)].slice(0, Math.max(1, limit));
}

/** The table stays at the bottom and is drawn again in place; notes scroll away above it. */
class LiveScreen implements Screen {
  private readonly output: Output;
  private readonly hasColor: boolean;
  private current: readonly StatusRow[] = [];
  private drawnLines = 0;
  private timer: NodeJS.Timeout | null = null;

  constructor(output: Output, hasColor: boolean) {
    this.output = output;
    this.hasColor = hasColor;
  }

  rows(rows: readonly StatusRow[]): void {
    this.current = rows;
    this.timer ??= setTimeout(() => {
      this.timer = null;
      this.draw('');
    }, frameMs);
  }

  note(text: string): void {
    this.draw(`${text}\n`);
  }

  close(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.draw('');
  }

  private draw(above: string): void {
    const lines = this.lines();
    const erase = this.drawnLines === 0 ? '' : `\x1b[${this.drawnLines}A\x1b[0J`;
    this.drawnLines = lines.length;
    this.output.write(`${erase}${above}${lines.map((line) => `${line}\n`).join('')}`);
  }

  private lines(): string[] {
    if (this.current.length === 0) return [];
    const shown = rowsThatFit(this.current, (this.output.rows || 24) - linesBesideRows);
    const left = this.current.length - shown.length;
    const cells = shown.map((row) => [row.name, row.kind, row.state, row.restarts === 0 ? '' : `${row.restarts}×`]);
    const width = (this.output.columns || 80) - 1;
    // Cut before colouring: a line that wraps would be counted wrong when it is erased.
    const [head = '', ...body] = formatTable([['WORKLOAD', 'KIND', 'STATE', 'RESTARTS'], ...cells]).map((line) =>
      line.slice(0, width),
    );
    return [
      '',
      this.color('1', head),
      ...body.map((line, i) => this.colorState(line, shown[i]?.state ?? '')),
      ...(left === 0 ? [] : [`and ${left} more`]),
    ];
  }

  private colorState(line: string, state: string): string {
    const code = colors[state] ?? '36';
    const at = line.lastIndexOf(state);
    return at < 0 ? line : line.slice(0, at) + this.color(code, state) + line.slice(at + state.length);
  }

  private color(code: string, text: string): string {
    return this.hasColor ? `\x1b[${code}m${text}\x1b[0m` : text;
  }
}
