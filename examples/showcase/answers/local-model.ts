import { setTimeout } from 'node:timers/promises';
import { answerTo } from './local-texts.js';
import { overloaded, type Model, type Turn, type WriteOptions } from './model.js';

/** A piece is some letters, as a token of a language model is. */
const PIECE = /\s*\S{1,5}/g;
/** So long it thinks before the first one, in ms. */
const THINKS_MS = 400;
const PIECE_MS = 16;
/** Of a text that it is to fail in, it writes so much. */
const BEFORE_FAILURE = 0.4;

/** Stands in for a language model: what it says was written beforehand, and comes in small pieces, 30 to 60 a second. */
export class LocalModel implements Model {
  readonly name = 'local';

  async *write(turns: readonly Turn[], { signal, isToFail }: WriteOptions): AsyncGenerator<string> {
    const pieces = answerTo(turns.at(-1)?.text ?? '').match(PIECE) ?? [];
    const last = isToFail ? Math.max(2, Math.floor(pieces.length * BEFORE_FAILURE)) : pieces.length;
    await setTimeout(THINKS_MS * (1 + Math.random()), undefined, { signal });
    for (const piece of pieces.slice(0, last)) {
      yield piece;
      await setTimeout(PIECE_MS * (1 + Math.random()) + pauseAfter(piece), undefined, { signal });
    }
    if (isToFail) throw overloaded();
  }
}

/** It stops to think behind a sentence, and more at a new thought. */
function pauseAfter(piece: string): number {
  if (/[.?!:]$/.test(piece)) return 120 * Math.random();
  return piece.startsWith('\n\n') ? 200 * Math.random() : 0;
}
