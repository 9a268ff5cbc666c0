import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ChildProcess } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Engine } from '../../src/engine/engine.js';
import { sqliteEngine } from '../../src/sqlite/index.js';
import type { SqliteDatabase } from '../../src/sqlite/index.js';
import type { Position } from '../../src/topic/position.js';
import {
  BETTER_SQLITE3_13,
  HAS_NODE_API_10,
  append,
  kill,
  linesOf,
  loadDrivers,
  readAll,
  resumeFrom,
  startProgram,
} from '../support/sqlite.js';

let folder: string;
let path: string;
const children: ChildProcess[] = [];
const engines: Engine[] = [];
beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'sse-sqlite-'));
  path = join(folder, 'log.db');
});
afterEach(async () => {
  for (const child of children.splice(0)) await kill(child);
  for (const engine of engines.splice(0)) await engine.close();
  fs.rmSync(folder, { recursive: true, force: true });
});

for (const { name, driver } of loadDrivers()) {
  describe(`the file of a sqlite engine with ${name}`, () => {
    const open = (now?: () => number): Engine => {
      const engine = sqliteEngine({ path, driver, now });
      engines.push(engine);
      return engine;
    };

    it('says that the directory is missing, and opens the file when it is there', async () => {
      path = join(folder, 'missing', 'log.db');
      const engine = open();
      await expect(append(engine)).rejects.toMatchObject({
        code: 'invalid-options',
        message: expect.stringContaining(`there is no directory ${join(folder, 'missing')}`),
      });

      fs.mkdirSync(join(folder, 'missing'));
      await append(engine);
    });

    it.each([
      ['the file', 0o444, 0o755],
      ['the directory', 0o666, 0o555],
    ])('says that %s is read-only', async (_, fileMode, folderMode) => {
      await openAndClose(open);
      fs.chmodSync(path, fileMode);
      fs.chmodSync(folder, folderMode);
      // Permissions do not hold for root.
      const nobody = process.getuid?.() === 0 ? ['65534'] : [];

      const line = await firstLine('test/support/sqlite-child.ts', name, path, '1', ...nobody);
      fs.chmodSync(folder, 0o755);
      expect(JSON.parse(line)).toMatchObject({
        code: 'engine-failed',
        message: expect.stringContaining('read-only'),
      });
    });

    it('refuses what is no log, and leaves it as it is', async () => {
      fs.writeFileSync(path, 'not a database, but longer than the header of one'.repeat(100));
      await refuses(open(), /not a SQLite file/);

      path = join(folder, 'other.db');
      withDatabase((database) => database.exec('CREATE TABLE users (id); PRAGMA journal_mode = DELETE'));
      const before = fs.readFileSync(path);
      await refuses(open(), /another program/);
      expect(fs.readFileSync(path)).toEqual(before);
    });

    it('refuses a file of a later version', async () => {
      await openAndClose(open);
      withDatabase((database) => database.exec('PRAGMA user_version = 99'));

      await refuses(open(), /version 99, made by a newer/);
    });

    it.each([
      ['overwritten', (bytes: Buffer) => bytes.fill(0xa5, 4_096)],
      ['cut off', (bytes: Buffer) => bytes.subarray(0, 8_192)],
    ])('says that a file is damaged that was %s', async (_, damage) => {
      const engine = open();
      await Promise.all(Array.from({ length: 1_000 }, () => append(engine, 'a'.repeat(100))));
      await engine.close();
      fs.writeFileSync(path, damage(fs.readFileSync(path)));

      const damaged = open();
      const answers = await Promise.allSettled([append(damaged), readAll(damaged)]);
      expect(answers).toMatchObject(
        Array(2).fill({ reason: { code: 'engine-failed', message: expect.stringContaining('is damaged') } }),
      );
    });

    it('recognises a position that an older copy of the file does not have, and one whose number it has used again', async () => {
      let now = 1_767_225_600_000;
      const clock = (): number => ++now;
      const kept = await openAndClose(open, clock);
      fs.copyFileSync(path, join(folder, 'copy.db'));
      const lost = await openAndClose(open, clock);
      fs.copyFileSync(join(folder, 'copy.db'), path);

      const engine = open(clock);
      expect(await resumeFrom(engine, lost)).toEqual([{ reason: 'ahead', topics: ['a'] }]);
      for (let n = 0; n < 5; n++) await append(engine);
      expect(await resumeFrom(engine, lost)).toEqual([{ reason: 'diverged', topics: ['a'] }]);
      expect(await resumeFrom(engine, kept)).toEqual([]);
    });

    it('goes on in a file that a process left without its end', async () => {
      const engine = open();
      const { epoch } = await append(engine);
      for (const suffix of ['', '-wal']) fs.copyFileSync(path + suffix, join(folder, `copy.db${suffix}`));
      await engine.close();
      path = join(folder, 'copy.db');

      expect(await append(open())).toMatchObject({ epoch, seq: 2 });
    });

    function withDatabase(change: (database: SqliteDatabase) => unknown): void {
      const database = new driver(path);
      change(database);
      database.close();
    }
  });
}

// Where it runs, there is nothing to refuse.
const isTooNew = !HAS_NODE_API_10 && fs.existsSync(BETTER_SQLITE3_13);

(isTooNew ? it : it.skip)('refuses a better-sqlite3 that would end the process', async () => {
  fs.cpSync('src', join(folder, 'src'), { recursive: true });
  fs.mkdirSync(join(folder, 'node_modules'));
  fs.symlinkSync(BETTER_SQLITE3_13, join(folder, 'node_modules', 'better-sqlite3'), 'dir');
  const main = `
    import { sqliteEngine } from './src/sqlite/index.js';
    const engine = sqliteEngine({ path: ${JSON.stringify(path)}, driver: 'better-sqlite3' });
    await engine.health().catch((error) => console.log(JSON.stringify(error)));`;
  fs.writeFileSync(join(folder, 'main.ts'), main);

  const line = await firstLine(join(folder, 'main.ts'));
  expect(JSON.parse(line)).toMatchObject({ code: 'invalid-options' });
});

/** Appends three events, and gives the last position. */
async function openAndClose(open: (now?: () => number) => Engine, now?: () => number): Promise<Position> {
  const engine = open(now);
  await append(engine);
  await append(engine);
  const last = await append(engine);
  await engine.close();
  return last;
}

async function refuses(engine: Engine, message: RegExp): Promise<void> {
  await expect(append(engine)).rejects.toMatchObject({
    code: 'invalid-options',
    message: expect.stringMatching(message),
  });
}

async function firstLine(...program: string[]): Promise<string> {
  const child = startProgram(...program);
  children.push(child);
  for await (const line of linesOf(child)) return line;
  throw new Error(`It has said nothing, and ended with ${child.exitCode ?? child.signalCode}`);
}
