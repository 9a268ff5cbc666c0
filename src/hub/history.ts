import type { Hole, LogEntry } from '../engine/engine.js';
import { isContradiction } from '../engine/resume.js';
import { payloadOf } from '../engine/text-entry.js';
import { isOfRun } from '../topic/own-name.js';
import { parsePosition } from '../topic/position.js';
import type { Position } from '../topic/position.js';
import { controlOf } from '../wire/payload.js';
import type { HoleReason } from '../wire/words.js';
import { START, placeOf } from './batch.js';
import type { Hub } from './hub.js';
import { Lead } from './prelude.js';
import { ToldHoles } from './told-holes.js';
import type { View } from './view.js';

const PAGE_BYTES = 1_048_576;

/** Reads a selection once, up to where its log ends now. What the engine rejects with is the caller's. */
export class History {
  readonly #hub: Hub;
  readonly #view: View;
  /** What is missing, as far as is known. */
  readonly holes: Hole[] = [];
  /** Up to here everything has been read. */
  place: Position = START;

  constructor(hub: Hub, selectors: readonly string[]) {
    this.#hub = hub;
    this.#view = hub.aside(selectors);
  }

  /**
   * The events, in lane order.
   *
   * @param after the id of the one that they come behind; `undefined`: they begin with the first that is retained
   * @param last how many of each topic there are at most
   */
  async *events(after: string | undefined, last: number): AsyncGenerator<LogEntry> {
    let head = await this.#hub.head();
    let from = after === undefined ? undefined : await this.#find(after);
    let isResumed = from !== undefined;
    let lead = isResumed && last === Infinity ? undefined : this.#leadTo(head, last);
    const told = new ToldHoles();
    this.place = head;
    if (last === 0) return;
    for (let isOver = false; !isOver;) {
      const request = { after: from?.seq, verify: from, lead, maxBytes: PAGE_BYTES };
      const page = await this.#hub.read(this.#view, request, head);
      if (page.upTo.epoch !== head.epoch || page.holes.some(isContradiction)) {
        // It is no place in this log, or the log has just become another: from the first that there is.
        if (from !== undefined) this.holes.push(...page.holes);
        head = await this.#hub.head();
        lead = this.#leadTo(head, last);
        from = undefined;
        isResumed = false;
        continue;
      }
      const own = lead === undefined ? page.cut(head) : lead.pageOf(page);
      // Whoever comes without a place is promised what there is.
      told.tell(isResumed ? page : own, head.seq, this);
      for (const entry of own.entries) {
        if (controlOf(payloadOf(entry)) !== undefined) {
          if (isOfRun(entry.topic)) return;
          continue;
        }
        this.place = placeOf(head.epoch, entry);
        yield entry;
      }
      this.place = own.upTo;
      isOver = own.upTo.seq >= head.seq || own.upTo.seq === from?.seq;
      from = own.upTo;
    }
  }

  reset(reason: HoleReason, topics: readonly string[]): void {
    this.holes.push({ reason, topics });
  }

  /** The place of the event with an id; `undefined`, once that is told: it is not known. */
  async #find(id: string): Promise<Position | undefined> {
    const claimed = parsePosition(id);
    if (claimed !== undefined) return claimed;
    const located = await this.#hub.locate(this.#view, id);
    if (located !== undefined && located !== 'ambiguous') return located;
    this.reset('unknown', this.#view.selectors);
    return undefined;
  }

  #leadTo(head: Position, last: number): Lead {
    const portion = { last, since: 0 };
    return new Lead({ key: `${last}`, portionOf: () => portion }, head);
  }
}
