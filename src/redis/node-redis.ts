import type { Argument, Driver, Subscriber } from './driver.js';

/** What is used of a node-redis client or cluster. */
export interface NodeRedisClient {
  readonly isOpen: boolean;
  destroy(): void;
}

type Listener = (message: Buffer) => void;

/** And what the declarations of versions and of clients differ in. */
interface Client extends NodeRedisClient {
  readonly isReady: boolean;
  readonly options: Options;
  on(event: string, listener: (...args: never[]) => void): unknown;
  off(event: string, listener: (...args: never[]) => void): unknown;
  connect(): Promise<unknown>;
  sendCommand(command: readonly Argument[], options: object): Promise<unknown>;
  duplicate(options: object): Client;
  subscribe(channels: readonly string[], listener: Listener, isBuffer: true): Promise<unknown>;
  unsubscribe(channels: readonly string[], listener: Listener, isBuffer: true): Promise<unknown>;
  sSubscribe(channels: readonly string[], listener: Listener, isBuffer: true): Promise<unknown>;
  sUnsubscribe(channels: readonly string[], listener: Listener, isBuffer: true): Promise<unknown>;
  ping(): Promise<unknown>;
}

interface Cluster extends NodeRedisClient {
  readonly _options: Options;
  readonly masters: readonly object[];
  on(event: string, listener: (...args: never[]) => void): unknown;
  off(event: string, listener: (...args: never[]) => void): unknown;
  nodeClient(node: object): Promise<Client>;
  sendCommand(key: string, isReadonly: boolean, command: readonly Argument[], options: object): Promise<unknown>;
}

interface Options {
  readonly keyPrefix?: string | Buffer;
  readonly database?: number;
  readonly socket?: object;
}

/** `RESP_TYPES.BLOB_STRING`: texts come as buffers. */
const AS_BUFFERS = { typeMapping: { 36: Buffer } };

export function isNodeRedis(client: object): client is NodeRedisClient {
  // Of Sentinel it has another client, which takes commands in another way.
  if ('acquire' in client) return false;
  return 'sendCommand' in client && ('sSubscribe' in client || 'SSUBSCRIBE' in client) && 'isOpen' in client;
}

export class NodeRedisDriver implements Driver {
  readonly keyPrefix: string;
  readonly channelPrefix: string;
  readonly database: number;
  readonly isCluster: boolean;
  readonly #client: Client | Cluster;
  readonly #isOwn: boolean;
  readonly #onError = (error: unknown): void => void (this.#problem = error);
  readonly #stopListening: () => void;
  #problem: unknown;

  constructor(client: NodeRedisClient, isOwn: boolean) {
    this.#client = client as Client | Cluster;
    this.#isOwn = isOwn;
    this.isCluster = 'nodeClient' in client;
    const options = (isCluster(this.#client) ? this.#client._options : this.#client.options) as Options | undefined;
    // A command that is sent as it is gets no prefix.
    this.keyPrefix = this.channelPrefix = String(options?.keyPrefix ?? '');
    this.database = (this.isCluster ? 0 : options?.database) ?? 0;
    // Also of a client that was given: nobody else may have a listener, and Node would end the process.
    this.#client.on('error', this.#onError);
    this.#stopListening = this.onReady(() => (this.#problem = undefined));
    if (isOwn) (this.#client as Client).connect().catch(ignore);
  }

  get problem(): unknown {
    return this.#problem;
  }

  isReady(): boolean {
    return isCluster(this.#client) ? this.#client.isOpen : this.#client.isReady;
  }

  onReady(listener: () => void): () => void {
    const events = this.isCluster ? ['connect', 'node-ready'] : ['ready'];
    for (const event of events) this.#client.on(event, listener);
    return () => {
      for (const event of events) this.#client.off(event, listener);
    };
  }

  send(key: string, command: readonly Argument[]): Promise<unknown> {
    return isCluster(this.#client)
      ? this.#client.sendCommand(key, false, command, AS_BUFFERS)
      : this.#client.sendCommand(command, AS_BUFFERS);
  }

  async subscribers(): Promise<(() => Subscriber)[]> {
    const cluster = this.#client;
    const clients = isCluster(cluster)
      ? await Promise.all(cluster.masters.map((node) => cluster.nodeClient(node)))
      : [cluster];
    return clients.map((client) => () => new NodeRedisSubscriber(client, this.isCluster));
  }

  renew(): void {
    if (!this.#isOwn || isCluster(this.#client) || !this.#client.isReady) return;
    this.#client.destroy();
    this.#client.connect().catch(ignore);
  }

  async close(): Promise<void> {
    if (this.#isOwn && this.#client.isOpen) this.#client.destroy();
    if (this.#isOwn) return;
    this.#stopListening();
    this.#client.off('error', this.#onError);
  }
}

class NodeRedisSubscriber implements Subscriber {
  readonly #client: Client;
  readonly #isSharded: boolean;
  #onMessage: Listener = ignore;

  constructor(client: Client, isSharded: boolean) {
    this.#client = client.duplicate({
      keyPrefix: undefined,
      clientSideCache: undefined,
      disableOfflineQueue: false,
      commandsQueueMaxLength: undefined,
      readonly: false,
      socket: { ...client.options.socket, reconnectStrategy: false, socketTimeout: undefined },
    });
    this.#isSharded = isSharded;
  }

  async connect(onMessage: Listener, onLost: (error: unknown) => void): Promise<unknown> {
    this.#onMessage = onMessage;
    this.#client.on('error', onLost);
    this.#client.on('end', () => onLost(new Error('The connection was closed')));
    // A channel has moved to another server.
    this.#client.on('sharded-channel-moved', () => onLost(new Error('The channels have moved to another server')));
    return this.#client.connect();
  }

  subscribe(channels: readonly string[]): Promise<unknown> {
    return this.#isSharded
      ? this.#client.sSubscribe(channels, this.#onMessage, true)
      : this.#client.subscribe(channels, this.#onMessage, true);
  }

  unsubscribe(channels: readonly string[]): Promise<unknown> {
    return this.#isSharded
      ? this.#client.sUnsubscribe(channels, this.#onMessage, true)
      : this.#client.unsubscribe(channels, this.#onMessage, true);
  }

  ping(): Promise<unknown> {
    return this.#client.ping();
  }

  async close(): Promise<void> {
    if (this.#client.isOpen) this.#client.destroy();
  }
}

function isCluster(client: Client | Cluster): client is Cluster {
  return 'nodeClient' in client;
}

function ignore(): void {
  // Whoever has called is told by the call.
}
