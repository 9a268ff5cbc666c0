import type { EventSource } from 'nestjs-event-stream/client';

/** A class that should be `EventSource`. */
export type SourceClass = new (url: string | URL, init?: Init | null) => EventSource;

export interface Init {
  readonly withCredentials?: boolean | undefined;
  readonly headers?: Record<string, string>;
  readonly retryInterval?: number;
}

/** What a case needs: a class and two origins. */
export class Bench {
  readonly #opened: EventSource[] = [];
  #keys = 0;

  constructor(
    readonly Source: SourceClass,
    readonly near: string,
    readonly far: string,
  ) {}

  /** Opens what is closed behind the case. A path is one of `near`. */
  open(url: string | URL, init?: Init): EventSource {
    const source = new this.Source(typeof url === 'string' ? new URL(url, this.near) : url, init);
    this.#opened.push(source);
    return source;
  }

  /** A path of which the requests are counted apart, with its parameters. */
  path(name: string, query: Readonly<Record<string, string | readonly string[]>> = {}): string {
    const params = new URLSearchParams();
    for (const [key, values] of Object.entries(query)) for (const value of [values].flat()) params.append(key, value);
    params.set('key', `${String(Math.random()).slice(2)}-${String(this.#keys++)}`);
    return `${name}?${params.toString()}`;
  }

  /** The methods of the requests that have come for a path. */
  async seen(path: string, origin = this.near): Promise<string[]> {
    const key = new URL(path, origin).searchParams.get('key')!;
    return (await (await fetch(`${origin}/seen?key=${key}`)).json()) as string[];
  }

  /**
   * What a source fires until the first error, or so many, or it is closed: `open`, `error <readyState>`, and of events `type|lastEventId|data`. Then closes it.
   */
  async heard(source: EventSource, errors = 1, types: readonly string[] = []): Promise<string[]> {
    const log: string[] = [];
    await new Promise<void>((resolve) => {
      const note = (event: Event): void => {
        const { type } = event;
        if ('data' in event) {
          const { lastEventId, data } = event as MessageEvent<string>;
          log.push(`${type}|${lastEventId}|${data}`);
        } else if (type === 'error') {
          log.push(`error ${String(source.readyState)}`);
          if (--errors === 0 || source.readyState === 2) resolve();
        } else log.push(type);
      };
      for (const type of ['open', 'message', 'error', ...types]) source.addEventListener(type, note);
    });
    source.close();
    return log;
  }

  /** The events of a stream of this text, which ends behind it. */
  async events(message: string, query: Readonly<Record<string, string>> = {}, types?: string[]): Promise<string[]> {
    const heard = await this.heard(this.open(this.path('/message', { newline: '', ...query, message })), 1, types);
    return heard.filter((line) => line.includes('|'));
  }

  /** The first event of a type. */
  first<Type extends 'open' | 'message' | 'error'>(source: EventSource, type: Type): Promise<Event> {
    return new Promise((resolve) => source.addEventListener(type, (event) => resolve(event), { once: true }));
  }

  close(): void {
    for (const source of this.#opened) source.close();
  }
}

/** What something throws: its name, and whether it is a DOMException. */
export function thrown(work: () => unknown): string {
  try {
    work();
    return 'nothing';
  } catch (error) {
    return `${(error as Error).name}${error instanceof DOMException ? ' as DOMException' : ''}`;
  }
}
