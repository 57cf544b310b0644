import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { copyTemplate, pascalCase, templateKinds } from './new/copy-template.ts';
import { parseSource } from './source/source-file.ts';
import { repositoryRoot } from './source/tree.ts';

const script = fileURLToPath(new URL('./new.ts', import.meta.url));

describe('npm run new', () => {
  it('names everything after the new filter and imports from its new place', () => {
    const kind = templateKinds['http-filter'];
    assert.ok(kind);
    const files = copyTemplate(repositoryRoot, kind, 'rate-limit');
    assert.deepEqual([...files.keys()], ['config.ts', 'filter.test.ts', 'filter.ts']);
    for (const [file, text] of files) {
      assert.doesNotMatch(text, /[Ss]ample/, file);
      for (const used of parseSource(file, text).imports) {
        assert.match(used.specifier, /^(?:node:|@weft\/|\.\/|\.\.\/[a-z-]+\.ts|\.\.\/\.\.\/stream\/)/, file);
      }
    }
    const filter = files.get('filter.ts') ?? '';
    assert.match(filter, /export class RateLimitFilter implements HttpFilter/);
    assert.match(filter, /counter\('rate_limit\.marked'\)/);
    assert.match(files.get('config.ts') ?? '', /export const rateLimitType = .*\n[\s\S]*function compileRateLimit\(/);
  });

  it('writes names in the case of their place', () => {
    assert.equal(pascalCase('rate-limit-2'), 'RateLimit2');
  });

  const refused: readonly [name: string, args: readonly string[], message: RegExp][] = [
    ['an unknown kind', ['protocol', 'x'], /KIND is http-filter/],
    ['no arguments', [], /usage/],
    ['a name that is none', ['http-filter', '../x'], /kebab case/],
    ['a name that is taken', ['http-filter', 'router'], /exists/],
  ];
  for (const [name, args, message] of refused) {
    it(`refuses ${name}`, () => {
      const result = spawnSync(process.execPath, [script, ...args], { encoding: 'utf8' });
      assert.equal(result.status, 2);
      assert.match(result.stderr, message);
    });
  }
});
