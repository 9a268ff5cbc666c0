import { describe, expect, it } from '@jest/globals';
import { type Dialect, EVENT_STREAM, NAMING_EVENT_STREAM } from '../wire/dialect.js';
import { packEvent, unpackEvent } from '../wire/payload.js';
import { Batch } from './batch.js';

const entry = { topic: 'a', seq: 1, prev: 0, at: 36, data: packEvent({ type: 'tick', data: 'x' }) };

/** Says no more than the data. */
const terse: Dialect = {
  ...EVENT_STREAM,
  entry: (parts, _id, payload) => {
    const event = unpackEvent(payload);
    if ('data' in event) parts.push(`data: ${String(event.data)}\n\n`);
  },
};

describe('a batch', () => {
  it('is written once for all who speak alike', () => {
    const batch = new Batch('aaaaaa', [entry]);

    expect(batch.frame(EVENT_STREAM)).toBe(batch.frame(EVENT_STREAM));
    expect(batch.frame(EVENT_STREAM).plain.toString()).toBe('id: aaaaaa.1.10\nevent: tick\ndata: x\n\n');
  });

  it('is written in the words of each dialect', () => {
    const batch = new Batch('aaaaaa', [entry]);
    const said = [EVENT_STREAM, terse, EVENT_STREAM].map((dialect) => batch.frame(dialect).plain.toString());

    expect(said).toEqual([
      'id: aaaaaa.1.10\nevent: tick\ndata: x\n\n',
      'data: x\n\n',
      'id: aaaaaa.1.10\nevent: tick\ndata: x\n\n',
    ]);
    expect(batch.frame(terse)).toBe(batch.frame(terse));
  });

  it('is written once in each dialect, in whichever order its readers come', () => {
    const written: string[] = [];
    const [plain, naming] = [EVENT_STREAM, NAMING_EVENT_STREAM].map((dialect, index) => ({
      ...dialect,
      entry: (...args: Parameters<Dialect['entry']>) => {
        written.push(['plain', 'naming'][index]!);
        dialect.entry(...args);
      },
    })) as [Dialect, Dialect];
    const batch = new Batch('aaaaaa', [entry]);

    const frames = [naming, plain, terse, plain, naming, plain, naming].map((dialect) => batch.frame(dialect));

    expect(new Set(frames).size).toBe(3);
    expect(written).toEqual(['naming', 'plain']);
    expect(batch.frame(naming).plain.toString()).toBe('id: aaaaaa.1.10\n: topic a\nevent: tick\ndata: x\n\n');
  });
});
