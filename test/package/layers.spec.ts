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
