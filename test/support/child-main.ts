// The process of a `ChildApp`: an application that its parent starts, publishes in and asks, and that signals end.
import { Observable } from 'rxjs';
import { type SseModuleOptions } from 'nestjs-event-stream';
import { type TestApp, adapters, startApp } from './app.js';
import { TopicController, streamOf } from './controllers.js';

/** More than the kernel takes in for a client that does not read. */
const FLOOD = 'x'.repeat(32 * 1_048_576);

let app: TestApp | undefined;

const functions = {
  /** Listens, and answers the port. The routes are those of `TopicController`, and `/stream`, a flood. */
  async start(adapterName: string, options: SseModuleOptions): Promise<number> {
    const flood = () => new Observable((observer) => observer.next(FLOOD));
    app = await startApp(
      adapters.find(({ name }) => name === adapterName)!,
      {
        controllers: [TopicController, streamOf(flood)],
        options,
        // What is logged is output, and there must be none.
        nest: { logger: ['fatal', 'error', 'warn'] },
        configure: (nest) => nest.enableShutdownHooks(),
      },
    );
    return app.port;
  },
  /** Publishes these texts one after the other, and answers their ids. */
  async publish(topic: string, texts: readonly string[]): Promise<string[]> {
    const ids: string[] = [];
    for (const data of texts) ids.push((await app!.streams.publish(topic, { data })).id);
    return ids;
  },
  /** Publishes so many numbered texts of this size. */
  async publishNumbers(topic: string, count: number, bytes: number): Promise<void> {
    for (let n = 0; n < count; n++) await app!.streams.publish(topic, { data: `${n} ${'x'.repeat(bytes)}` });
  },
  /** Keeps the event loop to itself. */
  async block(ms: number): Promise<void> {
    for (const until = performance.now() + ms; performance.now() < until;);
  },
  countOpen: async (): Promise<number> => app!.streams.connections.count,
};

/** What its parent can call. */
export type ChildFunctions = typeof functions;

/** A call, and its answer. */
export interface ChildCall {
  readonly id: number;
  readonly name: keyof ChildFunctions;
  readonly given: readonly unknown[];
}
export interface ChildAnswer {
  readonly id: number;
  readonly value: unknown;
}

process.on('message', ({ id, name, given }: ChildCall) => {
  // A rejection is not handled: it ends the process, with its stack as the output.
  void (functions[name] as (...all: unknown[]) => Promise<unknown>)(...given).then((value) => {
    process.send?.({ id, value } satisfies ChildAnswer);
  });
});
// A parent that is gone cannot end it.
process.on('disconnect', () => process.exit());
