import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { blank } from './blank.ts';
import { parseSource } from './source-file.ts';

describe('blanking', () => {
  const cases: readonly [name: string, text: string, code: string][] = [
    ['line comments', 'a // throw\nb', 'a         \nb'],
    ['block comments', 'a /* x\ny */ b', 'a     \n     b'],
    ['quoted strings with escapes', String.raw`f('it\'s // no', "x")`, `f('           ', " ")`],
    // biome-ignore-start lint/suspicious/noTemplateCurlyInString: source text, not a template
    ['templates but not what is computed in them', 'x = `a ${b + `c ${d}`} e`;', 'x = `  ${b + `  ${d}`}  `;'],
    ['braces in computed parts', 'x = `${{ a: 1 }.a}{`;', 'x = `${{ a: 1 }.a} `;'],
    // biome-ignore-end lint/suspicious/noTemplateCurlyInString: as above
    ['regular expressions', 'if (/[\'"/[/]]/.test(a)) b / c / d;', 'if (/         .test(a)) b / c / d;'],
  ];
  for (const [name, text, code] of cases) {
    it(`hides ${name}`, () => assert.equal(blank(text).code, code));
  }

  it('knows the lines that are only a comment', () => {
    assert.deepEqual([...blank('// a\ncode // b\n/* c\n d */\n').commentLines], [0, 2, 3]);
  });
});

describe('imports', () => {
  it('are told apart by whether anything is left at run time', () => {
    const source = parseSource(
      'x.ts',
      `import a from './a.ts';
import type { B } from './b.ts';
import { type C, type D } from './c.ts';
import { type E, f } from './e.ts';
import {
  g,
} from './g.ts';
import './h.ts';
export type * from './i.ts';
export { j } from './j.ts';
const k = await import('./k.ts');
// import l from './l.ts';
export const text = "import m from './m.ts'";
`,
    );
    assert.deepEqual(
      source.imports.map((found) => [found.specifier, found.isTypeOnly]),
      [
        ['./a.ts', false],
        ['./b.ts', true],
        ['./c.ts', true],
        ['./e.ts', false],
        ['./g.ts', false],
        ['./h.ts', false],
        ['./i.ts', true],
        ['./j.ts', false],
        ['./k.ts', false],
      ],
    );
    assert.equal(source.imports[4]?.line, 7);
  });
});

describe('functions', () => {
  it('are measured from their header to their last brace', () => {
    const source = parseSource(
      'x.ts',
      `export function one(a: string, b: { c: number; d: string }): { e: number } | null {
  return null;
}
class K<T> {
  private async two(f: Map<string, number>, g = (h: number, i: number) => h): Promise<Map<string, T>> {
    if (f) {
      return f;
    }
  }
  get three(): string { return ''; }
}
const four = (j: number): void => {
  call(j, () => {
    return;
  });
};
declare function five(k: number): void;
interface L {
  six(m: number): void;
}
`,
    );
    assert.deepEqual(
      source.functions.map(({ name, lines, parameters }) => [name, lines, parameters]),
      [
        ['one', 3, 2],
        ['two', 5, 2],
        ['three', 1, 0],
        ['four', 5, 1],
      ],
    );
  });
});
