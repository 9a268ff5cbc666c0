import { within } from '../engine/kit/deadline.js';
import type { Argument, Driver, Subscriber } from './driver.js';

/** What an ioredis `Redis` or `Cluster` is recognised by. */
export interface IoredisClient {
  readonly status: string;
  readonly isCluster: boolean;
  callBuffer(command: string, args: Argument[]): Promise<unknown>;
  disconnect(reconnect?: boolean): void;
}

type Command = (args: Argument[]) => Promise<unknown>;

/** And what the declarations of versions differ in. */
interface Client extends IoredisClient {
  readonly options: { readonly keyPrefix?: string | Buffer; readonly db?: number };
  on(event: string, listener: (...args: never[]) => void): unknown;
  off(event: string, listener: (...args: never[]) => void): unknown;
  connect(): Promise<unknown>;
  duplicate(options: object): SubscriberClient;
  nodes(role: 'master'): Client[];
}

interface SubscriberClient extends Client {
  subscribe(channels: readonly string[]): Promise<unknown>;
  unsubscribe(channels: readonly string[]): Promise<unknown>;
  ssubscribe(channels: readonly string[]): Promise<unknown>;
  sunsubscribe(channels: readonly string[]): Promise<unknown>;
  ping(): Promise<unknown>;
}

export function isIoredis(client: object): client is IoredisClient {
  return 'callBuffer' in client && typeof client.callBuffer === 'function';
}

export class IoredisDriver implements Driver {
  /** ioredis puts it there. */
  readonly keyPrefix = '';
  readonly channelPrefix: string;
  readonly database: number;
  readonly isCluster: boolean;
  readonly #client: Client;
  readonly #isOwn: boolean;
  readonly #onError = (error: unknown): void => void (this.#problem = error);
  readonly #stopListening: () => void;
  #problem: unknown;

  constructor(client: IoredisClient, isOwn: boolean) {
    this.#client = client as Client;
    this.#isOwn = isOwn;
    this.channelPrefix = String(this.#client.options.keyPrefix ?? '');
    this.isCluster = client.isCluster;
    this.database = (this.isCluster ? 0 : this.#client.options.db) ?? 0;
    // Of a `Redis` that was given, ioredis writes an error to the console that nobody listens to; of a `Cluster`, it may end the process.
    if (isOwn || this.isCluster) this.#client.on('error', this.#onError);
    this.#stopListening = this.onReady(() => (this.#problem = undefined));
  }

  get problem(): unknown {
    return this.#problem;
  }

  isReady(): boolean {
    if (this.#client.status === 'wait') this.#client.connect().catch(ignore);
    return this.#client.status === 'ready';
  }

  onReady(listener: () => void): () => void {
    this.#client.on('ready', listener);
    return () => void this.#client.off('ready', listener);
  }

  send(_key: string, [name = '', ...args]: readonly Argument[]): Promise<unknown> {
    // `callBuffer` ends the process when the client has `enableAutoPipelining` (ioredis 6.0.0).
    const commands = this.#client as unknown as Readonly<Record<string, Command>>;
    return (commands[`${String(name).toLowerCase()}Buffer`] as Command).call(this.#client, args);
  }

  async subscribers(): Promise<(() => Subscriber)[]> {
    const clients = this.isCluster ? this.#client.nodes('master') : [this.#client];
    return clients.map((client) => () => new IoredisSubscriber(client, this.isCluster));
  }

  renew(): void {
    if (this.#isOwn && this.#client.status === 'ready') this.#client.disconnect(true);
  }

  async close(): Promise<void> {
    if (this.#isOwn) return end(this.#client);
    this.#stopListening();
    this.#client.off('error', this.#onError);
  }
}

/** After how long a connection is destroyed that is not closed by the server too. */
export const DISCONNECT_MS = 100;

/** What a subscriber does not share with the client that it is made of: who calls it connects anew, and subscribes anew. */
const SUBSCRIBER = {
  keyPrefix: '',
  lazyConnect: true,
  retryStrategy: null,
  sentinelRetryStrategy: null,
  reconnectOnError: null,
  autoResubscribe: false,
  autoResendUnfulfilledCommands: false,
  enableAutoPipelining: false,
  enableOfflineQueue: true,
  enableReadyCheck: true,
  maxRetriesPerRequest: null,
  commandTimeout: undefined,
  socketTimeout: undefined,
  disconnectTimeout: DISCONNECT_MS,
  readOnly: false,
  scripts: undefined,
};

class IoredisSubscriber implements Subscriber {
  readonly #client: SubscriberClient;
  readonly #isSharded: boolean;

  constructor(client: Client, isSharded: boolean) {
    this.#client = client.duplicate(SUBSCRIBER);
    this.#isSharded = isSharded;
  }

  async connect(onMessage: (message: Buffer) => void, onLost: (error: unknown) => void): Promise<unknown> {
    let cause: unknown;
    this.#client.on('error', (error) => (cause = error));
    this.#client.on('end', () => onLost(cause ?? new Error('The connection was closed')));
    // A channel has moved to another server.
    this.#client.on('moved', () => onLost(new Error('The channels have moved to another server')));
    this.#client.on(this.#isSharded ? 'smessageBuffer' : 'messageBuffer', (_channel, message: Buffer) =>
      onMessage(message),
    );
    return this.#client.connect().catch((error: unknown) => {
      throw cause ?? error;
    });
  }

  subscribe(channels: readonly string[]): Promise<unknown> {
    return this.#isSharded ? this.#client.ssubscribe(channels) : this.#client.subscribe(channels);
  }

  unsubscribe(channels: readonly string[]): Promise<unknown> {
    return this.#isSharded ? this.#client.sunsubscribe(channels) : this.#client.unsubscribe(channels);
  }

  ping(): Promise<unknown> {
    return this.#client.ping();
  }

  close(): Promise<void> {
    return end(this.#client);
  }
}

/** Disconnects, and waits until nothing is left. */
async function end(client: Client): Promise<void> {
  if (client.status === 'end') return;
  const ended = new Promise<void>((resolve) => client.on('end', resolve));
  client.disconnect();
  await within(ended, 2 * DISCONNECT_MS, 'disconnecting').catch(ignore);
}

function ignore(): void {
  // Whoever has called is told by the call.
}
