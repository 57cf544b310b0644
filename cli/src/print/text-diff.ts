// The difference of two texts line by line, with some unchanged lines around each change.

const contextLines = 3;

type Step = readonly [mark: ' ' | '-' | '+', line: string];

/** Unified lines, empty when the texts are equal. */
export function diffLines(before: string, after: string): string[] {
  if (before === after) return [];
  const steps = align(linesOf(before), linesOf(after));
  const isNear = steps.map((_, i) =>
    steps.slice(Math.max(0, i - contextLines), i + contextLines + 1).some(([mark]) => mark !== ' '),
  );
  const lines: string[] = [];
  for (const [i, [mark, line]] of steps.entries()) {
    if (isNear[i]) lines.push(`${mark}${line}`);
    else if (lines.length > 0 && lines.at(-1) !== '...') lines.push('...');
  }
  return lines.at(-1) === '...' ? lines.slice(0, -1) : lines;
}

function linesOf(text: string): string[] {
  return text === '' ? [] : text.split('\n');
}

/** Longest common subsequence; resources are some hundred lines, so a table of all pairs is small. */
function align(before: readonly string[], after: readonly string[]): Step[] {
  const width = after.length + 1;
  const lengths = new Uint32Array((before.length + 1) * width);
  const at = (i: number, j: number): number => lengths[i * width + j] ?? 0;
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--) {
      lengths[i * width + j] = before[i] === after[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const steps: Step[] = [];
  let i = 0;
  let j = 0;
  while (i < before.length || j < after.length) {
    const left = before[i];
    const right = after[j];
    if (left !== undefined && left === right) {
      steps.push([' ', left]);
      i++;
      j++;
    } else if (left !== undefined && (right === undefined || at(i + 1, j) >= at(i, j + 1))) {
      steps.push(['-', left]);
      i++;
    } else {
      steps.push(['+', right ?? '']);
      j++;
    }
  }
  return steps;
}
