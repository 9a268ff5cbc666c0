import { randomUUID } from 'node:crypto';
import type { AppendRequest } from '../engine/engine.js';
import { DeadlineError, pause } from '../engine/kit/deadline.js';
import type { EngineFailures } from '../engine/kit/failure.js';
import type { SseError } from '../errors.js';
import type { Position } from '../topic/position.js';
import { EVENT_HEADER, encodeMeta } from './codec.js';
import type { NatsMessage } from './driver.js';
import type { JetStream } from './jetstream.js';
import type { Call, NatsLink } from './link.js';
import type { NatsSettings } from './options.js';
import { sizeProblem } from './size.js';
import { isNobodyThere, parse } from './stored-message.js';
import type { Subjects } from './subjects.js';
import type { Times } from './times.js';

/** One append on its way. */
interface Pending {
  readonly n: number;
  readonly request: AppendRequest;
  readonly header: string;
  readonly deadline: number;
  readonly resolve: (position: Position) => void;
  readonly reject: (error: unknown) => void;
  /** Whether a try of it was sent that nobody has answered. */
  mayBeStored: boolean;
}

interface Acknowledgement {
  readonly seq?: number;
  readonly error?: { readonly code: number; readonly description?: string };
}

const RETRY_MS = 50;
const QUIET_MS = 250;
const DRAIN_MS = 2;
const MAX_PIN_MS = 60_000;
const NOTHING = new Uint8Array();

/**
 * Appends in the order of the calls, many at once. What the server refuses because there is no stream, or no leader, is
 * sent again until its deadline, unless something that was called later has been stored meanwhile.
 */
export class NatsAppender {
  readonly #link: NatsLink;
  readonly #stream: JetStream;
  readonly #times: Times;
  readonly #signal: AbortSignal;
  readonly #pinMs: number;
  readonly #failures: EngineFailures;
  /** Tells this process's messages from those of others. */
  readonly #name = randomUUID();
  /** What was sent, and with which try. */
  readonly #inFlight = new Map<Pending, Call>();
  #waiting: Pending[] = [];
  /** Where to append; not known before the first append, and when the server has refused one. */
  #subjects: Subjects | undefined;
  #isPreparing = false;
  #preparedAt = -Infinity;
  #repliedAt = -Infinity;
  /** How many are stored, and only their time is not known yet. */
  #timing = 0;
  #count = 0;
  #pinnedAt = -Infinity;

  constructor(link: NatsLink, stream: JetStream, times: Times, settings: NatsSettings, signal: AbortSignal) {
    this.#link = link;
    this.#stream = stream;
    this.#times = times;
    this.#signal = signal;
    this.#failures = settings.failures;
    this.#pinMs = Math.min(settings.maxAgeMs / 4, MAX_PIN_MS);
  }

  append(request: AppendRequest, deadline: number): Promise<Position> {
    const header = encodeMeta(request);
    return new Promise((resolve, reject) => {
      const n = ++this.#count;
      const pending: Pending = { n, request, header, deadline, resolve, reject, mayBeStored: false };
      if (this.#subjects !== undefined) return this.#send(pending, this.#subjects);
      this.#waiting.push(pending);
      void this.#prepare();
    });
  }

  /** Resolves once what was called so far has been stored or refused, or at the deadline. */
  async drain(deadline: number): Promise<void> {
    while (this.#inFlight.size + this.#waiting.length + this.#timing > 0 && performance.now() < deadline) {
      await pause(DRAIN_MS, this.#signal);
    }
  }

  #send(pending: Pending, subjects: Subjects): void {
    const { request, header, deadline, n } = pending;
    const problem = sizeProblem(request.data, this.#stream, this.#failures);
    if (problem !== undefined) return pending.reject(pending.mayBeStored ? this.#failure(pending, problem) : problem);
    if (performance.now() - this.#pinnedAt > this.#pinMs) this.#pin(subjects, deadline);
    const call: Call = {
      subject: subjects.topic(request.topic),
      data: request.data,
      deadline,
      headers: { 'Nats-Msg-Id': `${this.#name}.${n}`, [EVENT_HEADER]: header },
      sends: 0,
    };
    this.#inFlight.set(pending, call);
    this.#link.request(call).then(
      (reply) => this.#onReply(pending, subjects, call, reply),
      (error: unknown) => {
        if (!this.#leave(pending, call)) return;
        pending.mayBeStored ||= call.sends > 0;
        // Another server than that before may take less.
        const problem = call.sends > 0 ? undefined : sizeProblem(request.data, this.#stream, this.#failures);
        pending.reject(problem ?? this.#failure(pending, error));
      },
    );
  }

  #onReply(pending: Pending, subjects: Subjects, call: Call, reply: NatsMessage): void {
    this.#repliedAt = performance.now();
    if (!this.#leave(pending, call)) return;
    const { seq, error } = isNobodyThere(reply) ? UNAVAILABLE : acknowledgementOf(reply);
    if (error?.code === 503) return this.#refused(pending, call);
    if (seq === undefined || error !== undefined) {
      return pending.reject(this.#failure(pending, new Error(error?.description ?? 'not an acknowledgement')));
    }
    this.#giveUpBefore(pending.n);
    this.#timing++;
    this.#times
      .timeOf(subjects, seq, pending.deadline)
      .then(
        (at) => pending.resolve({ epoch: subjects.epoch, seq, at }),
        (cause: unknown) => {
          pending.mayBeStored = true;
          pending.reject(this.#failure(pending, cause));
        },
      )
      .finally(() => this.#timing--);
  }

  #refused(pending: Pending, call: Call): void {
    // Of several tries that were sent, only the last is known to have been refused.
    pending.mayBeStored ||= call.sends > 1;
    this.#subjects = undefined;
    this.#waiting.push(pending);
    void this.#prepare();
  }

  /** Something called later has been stored: what was refused before it can no longer be stored in its place. */
  #giveUpBefore(n: number): void {
    if (this.#waiting.length === 0) return;
    const late = this.#waiting.filter((each) => each.n < n);
    this.#waiting = this.#waiting.filter((each) => each.n >= n);
    for (const each of late)
      each.reject(this.#failure(each, new Error('A later event was stored, and this one was refused')));
  }

  /** Tells whether this was its latest try: what becomes of earlier ones does not matter. */
  #leave(pending: Pending, call: Call): boolean {
    return this.#inFlight.get(pending) === call && this.#inFlight.delete(pending);
  }

  /** Finds the log, and sends what waits for it in order, once what is under way has been answered or is lost. */
  async #prepare(): Promise<void> {
    if (this.#isPreparing) return;
    this.#isPreparing = true;
    while (this.#waiting.length > 0) {
      try {
        // Of what was refused at once, the next try would be too.
        if (performance.now() - this.#preparedAt < RETRY_MS) await pause(RETRY_MS, this.#signal);
        const { subjects } = await this.#stream.state(Math.min(...this.#waiting.map((each) => each.deadline)));
        await this.#quiet();
        this.#recall();
        this.#subjects = subjects;
        this.#pinnedAt = -Infinity;
        this.#preparedAt = performance.now();
        for (const pending of this.#take(() => true)) this.#send(pending, subjects);
      } catch (error) {
        const now = performance.now();
        const isLasting = !(error instanceof DeadlineError);
        const lost = this.#take(({ deadline }) => isLasting || deadline <= now);
        for (const pending of lost) pending.reject(this.#failure(pending, error));
      }
    }
    this.#isPreparing = false;
  }

  #take(which: (pending: Pending) => boolean): Pending[] {
    const taken = this.#waiting.filter(which);
    this.#waiting = this.#waiting.filter((each) => !which(each));
    return taken.sort((a, b) => a.n - b.n);
  }

  /** Resolves when nothing is under way, or no answer has come for a while. */
  async #quiet(): Promise<void> {
    const begin = performance.now();
    while (this.#inFlight.size > 0 && performance.now() - Math.max(begin, this.#repliedAt) < QUIET_MS) {
      await pause(DRAIN_MS, this.#signal);
    }
  }

  /** What a stream that is gone, or a former leader, has left unanswered is sent again. The server knows it by its id. */
  #recall(): void {
    for (const pending of this.#inFlight.keys()) {
      pending.mayBeStored = true;
      this.#waiting.push(pending);
    }
    this.#inFlight.clear();
  }

  #failure({ mayBeStored }: Pending, cause: unknown): SseError {
    return mayBeStored ? this.#failures.uncertain(cause) : this.#failures.failed('store the event', cause);
  }

  /**
   * Stores a message that no newer one pushes out, from time to time: as long as it is the oldest of the stream, nothing
   * behind it can have been dropped for its age or for want of room, however busy some topics are.
   */
  #pin(subjects: Subjects, deadline: number): void {
    this.#pinnedAt = performance.now();
    const call: Call = { subject: subjects.pin(randomUUID()), data: NOTHING, deadline, sends: 0 };
    // Without it, those who come back very late are told that they may have missed something.
    this.#link.request(call).catch(() => undefined);
  }
}

const UNAVAILABLE: Acknowledgement = { error: { code: 503 } };

function acknowledgementOf(reply: NatsMessage): Acknowledgement {
  try {
    return parse(reply) as Acknowledgement;
  } catch {
    // Not from JetStream, whatever it is; the caller says so.
    return {};
  }
}
