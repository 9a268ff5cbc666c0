import { describe, expect, test } from '@jest/globals';
import { existsSync, readFileSync } from 'node:fs';

const page = readFileSync('docs/bad-input.md', 'utf8');
const named = [...page.matchAll(/`([^`]+\.spec\.ts)` “([^”]+)”/g)].map(([, file = '', name = '']) => ({
  file,
  name,
}));

describe('docs/bad-input.md', () => {
  test.each(named)('names a test that exists: $file, “$name”', ({ file, name }) => {
    const text = existsSync(file) ? readFileSync(file, 'utf8').replace(/\\(['"`])/g, '$1') : '';

    expect(text.includes(name)).toBe(true);
  });

  test('names a test in each of its rows', () => {
    const rows = page.split('\n').filter((line) => /^\| (?!---|input )/.test(line));

    expect(rows.length).toBeGreaterThan(80);
    expect(rows.filter((row) => !/\.spec\.ts` “/.test(row))).toEqual([]);
  });
});
