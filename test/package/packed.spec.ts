import { beforeAll, describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';

interface Packed {
  readonly path: string;
  readonly size: number;
}
interface Weighed {
  readonly files: number;
  readonly kB: number;
  readonly sourcesKB: number;
  readonly problems: string[];
}

const path: string = './packed.mjs';
const { packedFiles, weigh } = (await import(path)) as {
  packedFiles: () => Packed[];
  weigh: (files: (Packed & { sources: number })[], budget?: object) => Weighed;
};

let packed: string[];

beforeAll(() => {
  execFileSync(process.execPath, ['scripts/build.mjs', '--if-stale'], { stdio: 'inherit' });
  packed = packedFiles().map((file) => file.path);
}, 180_000);

describe('the package', () => {
  test('has each file that a page in it links to', () => {
    const broken = packed
      .filter((page) => page.endsWith('.md'))
      .flatMap((page) => linksOf(page).map((target) => [page, posix.join(posix.dirname(page), target)]))
      .filter(([, target]) => !packed.includes(target!));

    expect(broken).toEqual([]);
  });

  test('has each file that package.json names', () => {
    const { exports, main, types, schematics } = JSON.parse(readFileSync('package.json', 'utf8')) as Record<
      string,
      object
    >;
    const named = [...JSON.stringify([exports, main, types, schematics]).matchAll(/"\.\/([^"]+\.\w+)"(?!:)/g)].map(
      ([, file]) => file!,
    );

    expect(named.length).toBeGreaterThan(30);
    expect(named.filter((file) => !packed.includes(file))).toEqual([]);
  });

  test('has no test, and nothing of a machine', () => {
    expect(packed.filter((file) => /\.spec\.|^test\/|^src\/|\.tgz$|\.cache/.test(file))).toEqual([]);
    const written = packed.filter((file) => /^dist\/.*\.(js|map|ts)$/.test(file));
    expect(written.filter((file) => readFileSync(file, 'utf8').includes(process.cwd()))).toEqual([]);
  });
});

describe('the budget', () => {
  const files = [
    { path: 'a.js', size: 3_000, sources: 0 },
    { path: 'b.js.map', size: 9_000, sources: 8_000 },
  ];

  test('is kept by what weighs no more', () => {
    expect(weigh(files, { files: 2, kB: 4, sourcesKB: 8 })).toEqual({ files: 2, kB: 4, sourcesKB: 8, problems: [] });
  });

  test.each([
    ['Files in the package: 2, and the budget is 1', { files: 1, kB: 4, sourcesKB: 8 }],
    [
      'kB in the package, without the TypeScript in its source maps: 4, and the budget is 3',
      { files: 2, kB: 3, sourcesKB: 8 },
    ],
    ['kB of TypeScript in the source maps: 8, and the budget is 7', { files: 2, kB: 4, sourcesKB: 7 }],
  ])('says "%s"', (problem, budget) => {
    expect(weigh(files, budget).problems).toEqual([problem, 'The largest are b.js.map, a.js.']);
  });
});

describe('the source maps', () => {
  interface SourceMap {
    readonly sources: string[];
    readonly sourcesContent: string[];
  }
  const sourcesOf = (file: string): [string, string][] => {
    const { sources, sourcesContent } = JSON.parse(readFileSync(file, 'utf8')) as SourceMap;
    return sources.map((source, at) => [join(dirname(file), source), sourcesContent[at]!]);
  };

  test('hold the TypeScript that they lead to, as it is', () => {
    const maps = packed.filter((file) => file.endsWith('.js.map'));
    const held = maps.flatMap(sourcesOf).filter(([source]) => source.startsWith('src/'));

    expect(held.length).toBeGreaterThan(100);
    expect(held.filter(([source, text]) => readFileSync(source, 'utf8') !== text)).toEqual([]);
  });

  test.each([
    ['ES modules', 'module', "const { SseModule } = await import('nestjs-event-stream');"],
    ['CommonJS', 'commonjs', "const { SseModule } = require('./dist/cjs/index.js');"],
  ])('let a stack trace name lines of src, with %s', (_, format, load) => {
    const stack = evaluate(
      format,
      `${load} try { SseModule.forRoot({ no: 1 }) } catch (error) { console.log(error.stack) }`,
    );
    const [, file, line] = /at \S*forRoot \(.*\/(src\/\S+\.ts):(\d+):\d+\)/.exec(stack) ?? [];

    expect(readFileSync(file!, 'utf8').split('\n')[Number(line) - 1]).toContain('resolveOptions(');
  });
});

describe.each([
  ['ES modules', 'module', 'await import', 'esm'],
  ['CommonJS', 'commonjs', 'require', 'cjs'],
])('the entry points, as %s', (_, format, load, folder) => {
  const all = ['index', 'testing/index', 'redis/index', 'postgres/index', 'nats/index', 'sqlite/index', 'ai/index'];
  const loadAll = `const all = [${all.map((entry) => `${load}('./dist/${folder}/${entry}.js')`).join(', ')}];`;

  test('share their classes', () => {
    const script = `${loadAll} let thrown; try { all[2].redisEngine({ no: 1 }) } catch (error) { thrown = error }
      console.log(thrown instanceof all[0].SseError)`;

    expect(evaluate(format, script)).toBe('true\n');
  });

  test('keep the names of their classes, which logs and the errors of Nest tell', () => {
    const script = `${loadAll} console.log(JSON.stringify(all.flatMap((each) =>
      Object.entries(each).filter(([name, value]) => /^class /.test(String(value)) && value.name !== name))))`;

    expect(evaluate(format, script)).toBe('[]\n');
  });
});

function evaluate(format: string, script: string): string {
  const input = `${script}\n`;
  const args = ['--enable-source-maps', `--input-type=${format}`, '--no-warnings', '--eval', input];
  return execFileSync(process.execPath, args, { encoding: 'utf8' });
}

/** The files that a page links to. */
function linksOf(page: string): string[] {
  const prose = readFileSync(page, 'utf8')
    .replace(/^```[^]*?^```$/gm, '')
    .replace(/`[^`\n]*`/g, '');
  const targets = [...prose.matchAll(/\]\(([^)\s]+)\)/g), ...prose.matchAll(/^\[[^\]]+\]: (\S+)$/gm)].map(
    ([, target]) => target!,
  );
  return targets.filter((target) => !/^([a-z]+:|#)/.test(target)).map((target) => target.split('#')[0]!);
}
