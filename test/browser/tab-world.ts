import { Script, createContext } from 'node:vm';
import type { AnyEvents, Stream, StreamOptions, StreamState } from 'nestjs-event-stream/client';
import { bundleClient } from './client-bundle.js';

type Share = (key: string, url: string, options?: StreamOptions) => Stream<AnyEvents>;

const script = bundleClient().then((text) => new Script(text));

/** Numbers from 0 to 1 that a seed decides. */
export function randomFrom(seed: number): () => number {
  let state = seed * 2_654_435_761 + 1;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A browser without a screen: its tabs, its locks, its channels and one server, on a clock of its own. What takes time takes a random time. */
export class TabWorld {
  readonly locks = new Locks();
  readonly server: FakeServer;
  readonly tabs: Tab[] = [];
  /** What a page has reported. */
  readonly errors: unknown[] = [];
  now = 0;
  #jobs: { at: number; order: number; run: () => void }[] = [];
  #count = 0;

  private constructor(
    readonly script: Script,
    readonly random: () => number,
    /** The longest that a message or a chunk is under way, in ms. */
    readonly latencyMs: number,
  ) {
    this.server = new FakeServer(this);
  }

  static async create(seed: number, latencyMs = 20): Promise<TabWorld> {
    return new TabWorld(await script, randomFrom(seed), latencyMs);
  }

  open(): Tab {
    const tab = new Tab(this);
    this.tabs.push(tab);
    return tab;
  }

  upTo(most: number): number {
    return Math.floor(this.random() * (most + 1));
  }

  after(ms: number, run: () => void): { cancel(): void } {
    const job = { at: this.now + Math.max(0, ms), order: this.#count++, run };
    // The last one is next.
    let at = this.#jobs.length;
    while (at > 0 && isLater(job, this.#jobs[at - 1]!)) at--;
    this.#jobs.splice(at, 0, job);
    return { cancel: () => (job.run = () => undefined) };
  }

  /** Lets so much time go by. */
  async run(ms: number): Promise<void> {
    const end = this.now + ms;
    await settled();
    for (let job; (job = this.#jobs.at(-1)) && job.at <= end;) {
      this.#jobs.pop();
      this.now = job.at;
      job.run();
      await settled();
    }
    this.now = end;
  }
}

function isLater(a: { at: number; order: number }, b: { at: number; order: number }): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order) ? false : true;
}

function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

interface Request {
  readonly name: string;
  readonly tab: Tab;
  readonly run: () => Promise<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** Web Locks, as far as they are exclusive. */
class Locks {
  readonly held = new Map<string, Request>();
  #queue: Request[] = [];

  of(tab: Tab) {
    return {
      request: (
        name: string,
        { signal, steal }: { signal?: AbortSignal; steal?: boolean },
        run: () => Promise<unknown>,
      ): Promise<unknown> =>
        new Promise((resolve, reject) => {
          const request = { name, tab, run, resolve, reject };
          if (steal) {
            const old = this.held.get(name);
            this.held.delete(name);
            old?.tab.task(() => old.reject(new DOMException('stolen', 'AbortError')));
            this.#queue.unshift(request);
          } else this.#queue.push(request);
          signal?.addEventListener('abort', () => {
            if (!this.#queue.includes(request)) return;
            this.#queue = this.#queue.filter((each) => each !== request);
            reject(signal.reason as Error);
          });
          this.#grant();
        }),
    };
  }

  /** Of a tab that is gone. */
  release(tab: Tab): void {
    this.#queue = this.#queue.filter((each) => each.tab !== tab);
    for (const [name, request] of this.held) if (request.tab === tab) this.held.delete(name);
    this.#grant();
  }

  #grant(): void {
    for (const request of [...this.#queue]) {
      const { name, tab, run } = request;
      if (this.held.has(name)) continue;
      this.held.set(name, request);
      this.#queue = this.#queue.filter((each) => each !== request);
      tab.later(async () => {
        if (this.held.get(name) !== request) return;
        const value = await run();
        if (this.held.get(name) !== request) return;
        this.held.delete(name);
        request.resolve(value);
        this.#grant();
      });
    }
  }
}

interface FakeTimer {
  isOff: boolean;
  cancel(): void;
}

/** One page with the client in it, which lives as long as nobody kills it. */
export class Tab {
  readonly #page = new EventTarget();
  readonly #channels = new Set<FakeChannel>();
  readonly #share: Share;
  readonly closeShared: (key: string) => void;
  #waiting: (() => void)[] = [];
  #isStill = false;
  readonly context: Record<string, unknown>;
  isGone = false;
  /** Frozen pages do not get what their requests are answered with. */
  isFrozen = false;

  constructor(readonly world: TabWorld) {
    const { random } = world;
    const context = createContext({
      ...{
        AbortController,
        DOMException,
        EventTarget,
        Headers,
        Response,
        TextDecoder,
        TextEncoder,
        URL,
        queueMicrotask,
      },
      document: this.#page,
      navigator: { locks: world.locks.of(this), onLine: true },
      location: { href: 'http://tabs.test/', origin: 'http://tabs.test' },
      performance: { now: () => world.now },
      setTimeout: (run: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) => {
        const timer: FakeTimer = { isOff: false, cancel: () => job.cancel() };
        const job = world.after(ms, () => this.task(() => timer.isOff || run(...args)));
        return timer;
      },
      clearTimeout: (timer?: FakeTimer) => {
        if (timer) timer.isOff = true;
        timer?.cancel();
      },
      reportError: (error: unknown) => world.errors.push(error),
      fetch: (url: string, init: RequestInit) => world.server.answer(this, init),
      BroadcastChannel: class extends FakeChannel {
        constructor(name: string) {
          super(name, tabOf(), channelsOf());
        }
      },
      random,
      clock: () => world.now,
    });
    const tabOf = (): Tab => this;
    const channelsOf = (): Set<FakeChannel> => this.#channels;
    const page = this.#page;
    Object.assign(context, { addEventListener: page.addEventListener.bind(page) });
    new Script('Math.random = random; Date.now = clock').runInContext(context);
    world.script.runInContext(context);
    const client = new Script('sse').runInContext(context) as {
      shareStream: Share;
      closeShared: (key: string) => void;
    };
    this.#share = client.shareStream;
    this.context = context;
    this.closeShared = client.closeShared;
  }

  share(options?: StreamOptions, url = '/stream', key = 'ann'): Shared {
    return new Shared(this, this.#share(key, `http://tabs.test${url}`, options));
  }

  /** That nobody reads yet. */
  shareUnheard(): Shared {
    return new Shared(this, this.#share('ann', 'http://tabs.test/stream'), false);
  }

  /** Runs when the tab next can. */
  task(run: () => unknown): void {
    if (this.isGone) return;
    if (this.#isStill) this.#waiting.push(run);
    else run();
  }

  later(run: () => unknown): void {
    this.world.after(this.world.upTo(this.world.latencyMs), () => this.task(run));
  }

  get channels(): Iterable<FakeChannel> {
    return this.#channels;
  }

  /** It crashes. */
  kill(): void {
    this.isGone = true;
    this.world.server.forget(this);
    this.#channels.clear();
    this.world.locks.release(this);
  }

  /** @param isTold whether the page hears of it */
  freeze(isTold = true): void {
    if (isTold) this.dispatch('freeze');
    // What it has let go of is let go of.
    this.world.after(0, () => (this.#isStill = this.isFrozen = !this.isGone));
  }

  thaw(): void {
    this.isFrozen = false;
    this.#wake();
    this.dispatch('resume');
  }

  /** What it says from now on reaches nobody. */
  mute(): void {
    for (const channel of this.#channels) channel.postMessage = () => undefined;
  }

  hang(ms: number): void {
    this.#isStill = true;
    this.world.after(ms, () => this.isFrozen || this.#wake());
  }

  /** The user goes elsewhere. */
  leave(): void {
    this.dispatch('pagehide');
    this.world.after(this.world.upTo(5), () => this.kill());
  }

  /** The user goes elsewhere, and comes back to the page as it was. */
  leaveFor(ms: number): void {
    this.dispatch('pagehide');
    this.world.after(1, () => (this.#isStill = this.isFrozen = !this.isGone));
    this.world.after(ms, () => {
      this.isFrozen = false;
      this.#wake();
      this.dispatch('pageshow');
    });
  }

  dispatch(type: string): void {
    if (!this.isGone) this.#page.dispatchEvent(new Event(type));
  }

  #wake(): void {
    this.#isStill = false;
    for (const run of this.#waiting.splice(0)) this.task(run);
  }
}

class FakeChannel {
  onmessage: ((event: { data: unknown }) => void) | undefined;
  /** When the last message of each sender arrives: none overtakes another. */
  readonly #lastAt = new Map<FakeChannel, number>();

  constructor(
    readonly name: string,
    readonly tab: Tab,
    readonly siblings: Set<FakeChannel>,
  ) {
    siblings.add(this);
  }

  postMessage(message: unknown): void {
    const data = structuredClone(message);
    const { world } = this.tab;
    for (const tab of world.tabs)
      for (const other of tab.channels)
        if (other !== this && other.name === this.name) {
          const at = Math.max(other.#lastAt.get(this) ?? 0, world.now + world.upTo(world.latencyMs));
          other.#lastAt.set(this, at);
          world.after(at - world.now, () => tab.task(() => other.siblings.has(other) && other.onmessage?.({ data })));
        }
  }

  close(): void {
    this.siblings.delete(this);
  }
}

/** A shared stream, and what it has given. */
export class Shared {
  /** Numbers of events; `reset` where some are missing. */
  readonly got: (number | 'reset')[] = [];
  readonly states: StreamState[] = [];
  /** The number of the next event when it was open first. */
  openedAt: number | undefined;

  constructor(
    readonly tab: Tab,
    readonly stream: Stream,
    isHeard = true,
  ) {
    if (isHeard) stream.on('*', (event) => this.got.push(event.type === 'stream.reset' ? 'reset' : Number(event.data)));
    stream.subscribe((state) => {
      this.states.push(state);
      if (state.phase === 'open') this.openedAt ??= tab.world.server.next;
    });
  }
}

interface Connection {
  readonly tab: Tab;
  readonly body: ReadableStreamDefaultController<Uint8Array>;
  /** The number of the event that comes next. */
  next: number;
  text: string;
  isHung: boolean;
}

/** Keeps events, numbered from 1, and streams them. */
export class FakeServer {
  readonly connections = new Set<Connection>();
  /** Of each request, what it wanted to resume behind. */
  readonly requests: string[] = [];
  readonly #ids: string[] = [''];
  readonly #elsewhere = new Set<number>();
  /** The oldest that is kept. */
  first = 1;
  beatMs = 500;
  epoch = 'aaaaaa';
  isAway = false;
  /** What it answers instead of a stream. */
  refusal: (() => Response) | undefined;
  mostConnections = 0;

  constructor(readonly world: TabWorld) {
    this.#beat();
  }

  get next(): number {
    return this.#ids.length;
  }

  /** The place behind the newest event. */
  get place(): string {
    return this.#ids.at(-1)!;
  }

  /** @param id its own, or a position */
  publish(id = `${this.epoch}.${this.next.toString(36)}.abc`): void {
    this.#ids.push(id);
    for (const each of this.connections) if (!this.#elsewhere.has(this.next - 1)) this.#send(each, this.#events(each));
  }

  /** To another topic of the same log. */
  publishElsewhere(): void {
    this.#elsewhere.add(this.next);
    this.publish();
  }

  /** Forgets all but the newest. */
  trim(keep: number): void {
    this.first = Math.max(this.first, this.next - keep);
  }

  cut(): void {
    for (const each of [...this.connections]) {
      this.connections.delete(each);
      each.tab.later(() => each.body.error(new TypeError('cut')));
    }
  }

  /** Of a tab that is gone. */
  forget(tab: Tab): void {
    for (const each of this.connections) if (each.tab === tab) this.connections.delete(each);
  }

  answer(tab: Tab, { headers, signal }: RequestInit): Promise<Response> {
    const claimed = new Headers(headers).get('last-event-id') ?? '';
    this.requests.push(claimed);
    return new Promise((resolve, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason as Error));
      this.world.after(this.world.upTo(this.world.latencyMs), () => {
        if (signal?.aborted || tab.isGone) return;
        if (this.isAway) return tab.later(() => reject(new TypeError('away')));
        const { refusal } = this;
        if (refusal) return tab.later(() => resolve(refusal()));
        const stream = new ReadableStream<Uint8Array>({
          start: (body) => {
            const connection: Connection = { tab, body, next: this.#nextOf(claimed), text: '', isHung: false };
            this.connections.add(connection);
            this.mostConnections = Math.max(this.mostConnections, this.connections.size);
            signal?.addEventListener('abort', () => {
              this.connections.delete(connection);
              body.error(signal.reason);
            });
            const isMissing = connection.next < this.first;
            connection.next = Math.max(connection.next, this.first);
            const reset = 'event: stream.reset\ndata: {"reason":"trimmed","topics":["t"]}\n\n';
            const begin = `retry: 100\n: heartbeat ${this.beatMs}\n${isMissing ? reset : ''}`;
            this.#send(connection, begin + this.#events(connection) + this.#cursor());
          },
        });
        tab.later(() => resolve(new Response(stream, { headers: { 'content-type': 'text/event-stream' } })));
      });
    });
  }

  #nextOf(claimed: string): number {
    return claimed === ''
      ? this.next
      : (Number(/^\w{6}\.(\w+)\./.exec(claimed)?.[1] && parseInt(claimed.split('.')[1]!, 36)) ||
          this.#ids.indexOf(claimed)) + 1;
  }

  #cursor(): string {
    return this.next > 1 ? `id: ${this.epoch}.${(this.next - 1).toString(36)}.abc\n\n` : '';
  }

  #events(connection: Connection): string {
    let text = '';
    for (; connection.next < this.next; connection.next++)
      if (!this.#elsewhere.has(connection.next))
        text += `id: ${this.#ids[connection.next]}\n: topic t\ndata: ${connection.next}\n\n`;
    return text;
  }

  /** In pieces, as the network likes. */
  #send(connection: Connection, text: string): void {
    const bytes = new TextEncoder().encode(text);
    const cut = this.world.upTo(bytes.length);
    for (const part of [bytes.subarray(0, cut), bytes.subarray(cut)])
      if (part.length > 0) this.#deliver(connection, part);
  }

  #lastAt = new WeakMap<Connection, number>();

  #deliver(connection: Connection, part: Uint8Array): void {
    const { world } = this;
    const at = Math.max(this.#lastAt.get(connection) ?? 0, world.now + world.upTo(world.latencyMs));
    this.#lastAt.set(connection, at);
    world.after(at - world.now, () => {
      const { tab, body } = connection;
      connection.isHung ||= tab.isFrozen;
      if (!connection.isHung) tab.task(() => this.connections.has(connection) && body.enqueue(part));
    });
  }

  #beat(): void {
    this.world.after(this.beatMs, () => {
      for (const each of this.connections) this.#send(each, ':\n');
      this.#beat();
    });
  }
}
