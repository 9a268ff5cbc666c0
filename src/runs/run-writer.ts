import { setTimeout as delay } from 'node:timers/promises';
import { SseError } from '../errors.js';
import { isEngineTrouble } from '../feed/engine-health.js';
import type { OwnLog } from '../node/own-log.js';
import { runTopic } from '../topic/own-name.js';
import type { OwnTopicName } from '../topic/own-name.js';
import { parsePosition } from '../topic/position.js';
import type { RunStore } from './production.js';
import { endOf, retentionOf } from './run-ends.js';
import type { RunRecord } from './run-record.js';

/** How long after trouble the next try is made, in ms. */
const AGAIN_MS = 100;

/**
 * Stores the events of a run, each once, whatever the engine says of it. Nobody else writes to the topic but who ends the run, so the topic
 * itself tells what has become of an event.
 */
export class RunWriter implements RunStore {
  readonly topic: OwnTopicName;
  readonly #log: OwnLog;
  readonly #run: RunRecord;
  readonly #request: { readonly topic: OwnTopicName; readonly retention: ReturnType<typeof retentionOf> };
  readonly #say: () => Promise<void>;
  #after: number;
  #epoch: string | undefined;

  /**
   * @param keepMs how long an event is kept at least
   * @param say stores something else. What was to be stored before that is stored once it has been, or never
   */
  constructor(log: OwnLog, run: RunRecord, keepMs: number, say: () => Promise<void>) {
    this.#log = log;
    this.#run = run;
    this.topic = runTopic(run.key, run.id);
    this.#request = { topic: this.topic, retention: retentionOf(run, keepMs) };
    this.#say = say;
    const place = parsePosition(run.place);
    this.#after = place?.seq ?? 0;
    this.#epoch = place?.epoch;
  }

  async store(data: Uint8Array): Promise<void> {
    const { maxBytes } = this.#run;
    if (data.byteLength > maxBytes)
      throw new SseError(
        'too-large',
        `An event of ${data.byteLength} bytes is larger than what is kept of a run: ${maxBytes} (maxBytes)`,
      );
    for (;;) {
      if (this.#run.isLost) throw new SseError('closed', 'The run is no longer produced here');
      try {
        const { seq, epoch } = await this.#log.append({ ...this.#request, data });
        this.#after = seq;
        this.#epoch = epoch;
        return;
      } catch (error) {
        if (!isEngineTrouble(error)) throw error;
        if (await this.#isStored()) return;
        await delay(AGAIN_MS, undefined, { ref: false });
      }
    }
  }

  /** Waits until the engine works again, and looks. */
  async #isStored(): Promise<boolean> {
    const page = await this.#log.persist(async () => {
      await this.#say();
      return this.#log.read({ topics: [this.topic], after: this.#after, maxEntries: 1, maxBytes: 1 });
    });
    if (page === undefined) throw new SseError('closed', 'The node has been closed');
    if (page.upTo.epoch !== this.#epoch) {
      // Of a log that has taken the place of another, nothing was stored there before.
      this.#epoch = page.upTo.epoch;
      this.#after = 0;
      return this.#isStored();
    }
    const [entry] = page.entries;
    if (entry === undefined) return false;
    if (endOf(entry) !== undefined) throw new SseError('closed', 'The run was ended elsewhere');
    this.#after = entry.seq;
    return true;
  }
}
