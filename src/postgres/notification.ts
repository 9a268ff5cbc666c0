import type { EngineSink } from '../engine/engine.js';

/**
 * Reads the notifications of the log's channel. A letter, and lines:
 *
 * - `t` epoch, seq, prev, at, topic, id, data: an entry whose data is text; the id is empty, or follows a `=`
 * - `b` the same with the data in base64
 * - `h` epoch, seq, topic: the hint of an entry
 * - `+` seq, number, a piece of data in base64; and at the end `.` with the lines of an entry whose data is in the pieces
 *
 * Names and ids have no line break; with one of a future version that has, an entry would be taken for another, which the
 * chain of `prev` shows.
 */
export class NotificationReader {
  #pieces: Buffer[] = [];

  /** @param isWanted tells by the topic whether the sink is to have it */
  read(payload: string, isWanted: (topic: string) => boolean, sink: EngineSink): void {
    const kind = payload[0];
    if (kind === '+') return this.#keep(payload);
    const pieces = this.#pieces.splice(0);
    if (kind === 'h') {
      const [epoch = '', seq, topic = ''] = cut(payload, 2);
      if (isWanted(topic)) sink.hint(epoch, topic, Number(seq));
      return;
    }
    const [epoch = '', seq, prev, at, topic = '', id = '', data = ''] = cut(payload, 6);
    if (!isWanted(topic)) return;
    const bytes = kind === '.' ? Buffer.concat(pieces) : Buffer.from(data, kind === 't' ? 'utf8' : 'base64');
    const entry = { topic, seq: Number(seq), prev: Number(prev), at: Number(at), data: new Uint8Array(bytes) };
    sink.entry(epoch, { ...entry, id: id === '' ? undefined : id.slice(1) });
  }

  /** Whoever begins to listen in the middle has missed the first pieces. */
  #keep(payload: string): void {
    const [, number, data = ''] = cut(payload, 2);
    if (Number(number) === 0) this.#pieces = [];
    this.#pieces.push(Buffer.from(data, 'base64'));
  }
}

/** So many lines without the letter before them, and the rest. */
function cut(payload: string, lines: number): string[] {
  const parts: string[] = [];
  let from = 1;
  for (let n = 0; n < lines; n++) {
    const end = payload.indexOf('\n', from);
    if (end === -1) break;
    parts.push(payload.slice(from, end));
    from = end + 1;
  }
  parts.push(payload.slice(from));
  return parts;
}
