import { SseError } from '../errors.js';

/** What is used of the headers of `@nats-io/transport-node`. */
export interface NatsHeaders {
  readonly code: number;
  /** The last of that name: what the server adds, it adds behind what the publisher gave. `''` when there is none. */
  last(name: string): string;
  set(name: string, value: string): void;
}

/** What is used of a message of `@nats-io/transport-node`. */
export interface NatsMessage {
  readonly subject: string;
  readonly reply?: string | undefined;
  readonly data: Uint8Array;
  readonly headers?: NatsHeaders | undefined;
}

/** A header of a message; `''` when there is none, or when what was published as headers are none. */
export function headerOf(message: NatsMessage, name: string): string {
  return headersOf(message)?.last(name) ?? '';
}

/** The status that it bears, as what the server says of itself does; `0`: none. Others can give theirs one. */
export function statusOf(message: NatsMessage): number {
  return headersOf(message)?.code ?? 0;
}

/** They are parsed as late as this, which throws at what no client of this package has made. */
function headersOf(message: NatsMessage): NatsHeaders | undefined {
  try {
    return message.headers;
  } catch {
    return undefined;
  }
}

export interface NatsSubscription {
  unsubscribe(): void;
  isClosed(): boolean;
}

/** What is used of what a server says of itself. */
export interface NatsServerInfo {
  readonly max_payload: number;
}

export interface NatsStatus {
  readonly type: string;
  readonly error?: Error;
}

/** What the engine uses of a `NatsConnection` of `@nats-io/transport-node`. */
export interface NatsConnection {
  /** That of the server it is connected to. */
  readonly info?: NatsServerInfo | undefined;
  publish(subject: string, data?: Uint8Array, options?: { reply?: string; headers?: NatsHeaders }): void;
  subscribe(
    subject: string,
    options: { callback: (error: Error | null, message: NatsMessage) => void },
  ): NatsSubscription;
  flush(): Promise<void>;
  status(): AsyncIterable<NatsStatus>;
  /** Closes the socket and dials again. */
  reconnect(): Promise<void>;
  closed(): Promise<void | Error>;
  isClosed(): boolean;
  close(): Promise<void>;
}

/** What is used of the module `@nats-io/transport-node`. */
export interface NatsDriver {
  readonly connect: (options: object) => Promise<NatsConnection>;
  readonly headers: () => NatsHeaders;
}

const METHODS = ['publish', 'subscribe', 'flush', 'status', 'reconnect', 'closed', 'isClosed', 'close'] as const;

export function isNatsConnection(value: unknown): value is NatsConnection {
  if (typeof value !== 'object' || value === null) return false;
  return METHODS.every((name) => typeof (value as Record<string, unknown>)[name] === 'function');
}

/** @throws SseError `invalid-options` when the package is missing, too old, or does not load */
export async function loadDriver(): Promise<NatsDriver> {
  let driver: Partial<NatsDriver> | undefined;
  let cause: unknown;
  try {
    driver = await import('@nats-io/transport-node');
  } catch (error) {
    cause = error;
  }
  if (typeof driver?.connect === 'function' && typeof driver.headers === 'function') return driver as NatsDriver;
  throw new SseError(
    'invalid-options',
    'natsEngine needs the package @nats-io/transport-node, version 3 or later: npm install @nats-io/transport-node',
    { cause },
  );
}
