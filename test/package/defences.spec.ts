import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';

interface Change {
  readonly file: string;
  readonly find: string;
}
interface Defence extends Partial<Change> {
  readonly name: string;
  /** In place of the one change. */
  readonly changes?: readonly Change[];
}

const path: string = '../../scripts/defences/list.mjs';
const { defences } = (await import(path)) as { defences: Defence[] };

describe('each defence', () => {
  test.each(defences)('is where the list says: $name', (defence) => {
    const changes = defence.changes ?? [defence as Change];
    const counts = changes.map(({ file, find }) => [file, readFileSync(file, 'utf8').split(find).length - 1]);

    expect(counts).toEqual(changes.map(({ file }) => [file, 1]));
  });
});
