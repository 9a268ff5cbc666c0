import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const cli = join(process.cwd(), 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');
const config = join(process.cwd(), '.dependency-cruiser.mjs');

/** One forbidden import each; what is imported exists, so that only the direction is wrong. */
const violations: [rule: string, file: string, imported: string][] = [
  ['direction-of-errors', 'src/errors.ts', './wire/fine.js'],
  ['direction-of-wire', 'src/wire/bad.ts', '../topic/fine.js'],
  ['direction-of-topic', 'src/topic/bad.ts', '../engine/fine.js'],
  ['direction-of-engine', 'src/engine/bad.ts', '../hub/fine.js'],
  ['direction-of-hub', 'src/hub/bad.ts', '../connection/fine.js'],
  ['direction-of-connection', 'src/connection/bad.ts', '../nest/fine.js'],
  ['direction-of-nest', 'src/nest/bad.ts', '../testing/fine.js'],
  ['direction-of-redis', 'src/redis/bad.ts', '../hub/fine.js'],
  ['kit-is-for-engines', 'src/hub/kit.ts', '../engine/kit/fine.js'],
  ['direction-of-client', 'src/client/bad.ts', '../topic/fine.js'],
  ['entry-points-are-not-imported', 'src/nest/barrel.ts', '../index.js'],
  ['every-folder-is-a-layer', 'src/utils/bad.ts', '../wire/fine.js'],
  ['nest-at-the-edge', 'src/hub/nest.ts', '@nestjs/common'],
  ['rxjs-at-the-edge', 'src/topic/rxjs.ts', 'rxjs'],
  ['only-what-users-install', 'src/nest/helper.ts', 'some-helper'],
  ['browser-safe', 'src/client/node.ts', 'node:http'],
  ['browser-safe', 'src/wire/encode.ts', 'node:buffer'],
];

interface Shape {
  readonly errors: string[];
  readonly warnings: string[];
}
interface Exceptions {
  readonly publicMembers: Record<string, number>;
  readonly classNames: Record<string, string>;
}
const shape: string = '../../scripts/shape.mjs';
const { checkShape } = (await import(shape)) as { checkShape: (folder: string, exceptions: Exceptions) => Shape };

describe('the layer check', () => {
  let directory: string;
  let report: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'layers-'));
    const write = async (path: string, text: string): Promise<void> => {
      await mkdir(dirname(join(directory, path)), { recursive: true });
      await writeFile(join(directory, path), text);
    };
    await write('tsconfig.json', '{ "compilerOptions": { "module": "nodenext" } }');
    await write('src/index.ts', 'export {};');
    await write('src/engine/kit/fine.ts', 'export const fine = 1;');
    for (const layer of ['wire', 'topic', 'engine', 'hub', 'connection', 'nest', 'testing']) {
      await write(`src/${layer}/fine.ts`, 'export const fine = 1;');
    }
    for (const name of ['@nestjs/common', 'rxjs', 'some-helper']) {
      await write(`node_modules/${name}/package.json`, `{ "name": "${name}", "version": "1.0.0" }`);
      await write(`node_modules/${name}/index.js`, 'exports.fine = 1;');
    }
    for (const [, file, target] of violations) await write(file, `import { fine } from '${target}'; fine;`);
    await write('src/hub/a.ts', "import type { B } from './b.js'; export type A = B[];");
    await write('src/hub/b.ts', "import type { A } from './a.js'; export type B = A[];");
    report = spawnSync(process.execPath, [cli, '--config', config, 'src'], { cwd: directory, encoding: 'utf8' }).stdout;
  });

  afterAll(() => rm(directory, { recursive: true }));

  test.each(violations)('refuses as %s that %s imports %s', (rule, file) => {
    expect(report).toContain(`error ${rule}: ${file} → `);
  });

  test('refuses a cycle, even of types', () => {
    expect(report).toContain('error no-cycles: src/hub/a.ts → ');
  });
});

describe('the check of shape', () => {
  let directory: string;
  const check = (exceptions: Partial<Exceptions> = {}): Shape =>
    checkShape(join(directory, 'src'), { publicMembers: {}, classNames: {}, ...exceptions });
  const large = { publicMembers: { Large: 21 } };
  const twice = { classNames: { Twice: 'nats, redis' } };

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'shape-'));
    const write = async (path: string, text: string): Promise<void> => {
      await mkdir(dirname(join(directory, path)), { recursive: true });
      await writeFile(join(directory, path), text);
    };
    const methods = (count: number): string => Array.from({ length: count }, (_, n) => `m${n}() {}`).join('\n');
    const hidden = '#own = 1; private a = 1; protected b = 1; protected c() {}';
    await write(
      'src/hub/large.ts',
      `class Large { constructor(readonly first: 1) {} get m0() {} set m0(v) {} ${methods(20)} }`,
    );
    await write('src/hub/fine.ts', `class Fine { constructor(private first: 1) {} ${hidden} ${methods(20)} }`);
    await write('src/hub/large.spec.ts', `class Test { ${methods(30)} }`);
    await write('src/nats/a.ts', 'class Twice {}');
    await write('src/redis/a.ts', 'export const make = () => { class Twice {} return Twice; };');
    await write('src/wire/a.ts', 'class Once {}');
    await write('src/wire/b.ts', 'class Once {}');
    await write('src/wire/long.ts', '// line\n'.repeat(260));
    await write('src/wire/short.ts', '// line\n'.repeat(259));
  });

  afterAll(() => rm(directory, { recursive: true }));

  test('refuses a class with more than 20 public members', () => {
    const [error] = check(twice).errors;

    expect(error).toMatch(/^public-members: .*src\/hub\/large\.ts: Large has 21 public members, and 20 are the most$/);
  });

  test('refuses a name that is that of a class in two folders', () => {
    expect(check(large).errors).toEqual(['one-name-one-class: Twice is a class in nats, redis']);
  });

  test('lets through what is an exception', () => {
    expect(check({ ...large, ...twice }).errors).toEqual([]);
  });

  test.each<[string, Partial<Exceptions>, string]>([
    ['a class that has become smaller', { ...twice, publicMembers: { Large: 22 } }, 'and the exception says 22'],
    [
      'a class that is small enough',
      { ...twice, publicMembers: { Large: 21, Fine: 25 } },
      'the exception of Fine is not needed',
    ],
    [
      'a name in fewer folders',
      { ...large, classNames: { Twice: 'hub, nats, redis' } },
      'Twice is a class in nats, redis',
    ],
    [
      'a name that is there once',
      { ...large, classNames: { ...twice.classNames, Once: 'wire' } },
      'the exception of Once is not needed',
    ],
  ])('refuses the exception of %s', (_, exceptions, problem) => {
    expect(check(exceptions).errors).toEqual([expect.stringContaining(problem)]);
  });

  test('tells of a file that is nearly full, and refuses none', () => {
    expect(check().warnings).toEqual([expect.stringMatching(/^nearly-full: .*src\/wire\/long\.ts has 260 lines$/)]);
  });
});
