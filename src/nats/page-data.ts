import type { LogEntry } from '../engine/engine.js';
import { each } from './each.js';
import type { StreamState } from './jetstream.js';
import type { KnownData } from './known-data.js';
import type { Question } from './question.js';
import { UnavailableError } from './stored-message.js';
import type { StoredMessage } from './stored-message.js';
import type { Row } from './topic-rows.js';

/** An entry of a page, before its data is known. */
export interface Wanted {
  readonly topic: string;
  readonly seq: number;
  readonly row: Row;
}

/** So many single questions cost as much as a consumer. */
const ONE_BY_ONE = 32;
/** A consumer gives what is in between, too: of so many messages for each that is wanted. */
const SPARSE = 4;

/**
 * Makes entries of rows, with their data.
 *
 * @param lost is told the topic of which something is there no longer
 */
export async function loadData(
  question: Question,
  state: StreamState,
  wanted: readonly Wanted[],
  data: KnownData,
  lost: (topic: string) => void,
): Promise<LogEntry[]> {
  const missing = wanted.filter(({ row }) => data.get(row.seq) === undefined);
  const found = new Map<number, Uint8Array>();
  await loadMany(question, state, missing, found);
  return each(wanted, async ({ topic, row }) => {
    const { seq, prev, at, bytes, id } = row;
    const known = data.get(seq) ?? found.get(seq);
    if (known !== undefined) return { topic, seq, prev, at, data: known, id };
    const message = await question.get({ seq }, bytes);
    if (message !== undefined && isOf(message, state, topic, at)) {
      return { topic, seq, prev, at, data: message.data.slice(), id };
    }
    lost(topic);
    throw new UnavailableError('The log has changed while it was read');
  });
}

/** Finds those that stand close together. */
async function loadMany(
  question: Question,
  { subjects }: StreamState,
  wanted: readonly Wanted[],
  found: Map<number, Uint8Array>,
): Promise<void> {
  const [first, last] = [wanted[0], wanted.at(-1)];
  if (first === undefined || last === undefined || wanted.length < ONE_BY_ONE) return;
  const isOneTopic = wanted.every(({ topic }) => topic === first.topic);
  if (!isOneTopic && last.row.seq - first.row.seq >= SPARSE * wanted.length) return;
  const subject = isOneTopic ? subjects.topic(first.topic) : undefined;
  const bySeq = new Map(wanted.map((each) => [each.row.seq, each]));
  for await (const message of question.messages(subject, first.row.seq - 1)) {
    const each = bySeq.get(message.seq);
    if (each !== undefined && message.subject === subjects.topic(each.topic) && message.at === each.row.at) {
      found.set(message.seq, message.data.slice());
    }
    if (message.seq >= last.row.seq) return;
  }
}

function isOf(message: StoredMessage, { subjects }: StreamState, topic: string, at: number): boolean {
  return message.subject === subjects.topic(topic) && message.at === at;
}
