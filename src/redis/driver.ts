/** What a command is made of. */
export type Argument = string | Buffer;

/** A connection of our own, of which the live delivery comes. */
export interface Subscriber {
  /** Connects, once; `onLost` is called when the connection has ended by itself, after `connect` has resolved or before. */
  connect(onMessage: (message: Buffer) => void, onLost: (error: unknown) => void): Promise<unknown>;
  subscribe(channels: readonly string[]): Promise<unknown>;
  unsubscribe(channels: readonly string[]): Promise<unknown>;
  ping(): Promise<unknown>;
  /** Ends the connection at once. What is under way on it rejects. Never rejects itself. */
  close(): Promise<void>;
}

/** The one thing that differs between client libraries: how a command is sent, and how a subscriber is made. */
export interface Driver {
  /** To be put before keys: what the client does not put there by itself. */
  readonly keyPrefix: string;
  /** To be put before the names of channels, so that they are as distinct as the keys are. */
  readonly channelPrefix: string;
  /** The number of the database: channels are not divided by it, our keys are. */
  readonly database: number;
  /** Whether this is a Redis Cluster, where channels are divided as keys are. */
  readonly isCluster: boolean;
  /** Why there is no connection, when the client has said that. */
  readonly problem: unknown;
  /** Whether a command would be sent at once. */
  isReady(): boolean;
  /** Calls the listener each time that a connection has been made. Returns how to stop that. */
  onReady(listener: () => void): () => void;
  /** Sends a command to the server of a key. Texts come back as buffers. */
  send(key: string, command: readonly Argument[]): Promise<unknown>;
  /** Makers of a subscriber, to be tried in turn: in a cluster only one server has the key. */
  subscribers(): Promise<readonly (() => Subscriber)[]>;
  /** Leaves the connection and makes another one, if the client was made here: its name may stand for another server by now. */
  renew(): void;
  /** Ends the client if it was made here. Never rejects. */
  close(): Promise<void>;
}

/** The code of an error that a server has answered: `NOSCRIPT`; `undefined` for any other trouble. */
export function replyCode(error: unknown): string | undefined {
  return error instanceof Error ? CODE.exec(error.message)?.[1] : undefined;
}

/** Redis 6 wraps what a script has come upon: `ERR Error running script (call to f_…): @user_script:4: @user_script: 4: -READONLY …`. */
const CODE = /^(?:ERR Error running script .*@user_script: ?\d+: -)?([A-Z][A-Z0-9_]+) /s;

/** What a server answers that will be able to do it soon, or another server will. */
const PASSING = new Set([
  'LOADING',
  'CLUSTERDOWN',
  'MASTERDOWN',
  'TRYAGAIN',
  'READONLY',
  'UNBLOCKED',
  'BUSY',
  'MOVED',
  'ASK',
]);

/** Whether the same command may succeed in a moment: the server cannot be reached, or is not ready. */
export function isPassing(error: unknown): boolean {
  const code = replyCode(error);
  return code === undefined || PASSING.has(code);
}

/** What a server answers that is no master, or no longer: it may not be for as long as it lives. */
const DEMOTED = new Set(['READONLY', 'MASTERDOWN', 'UNBLOCKED', 'NOREPLICAS']);

/** Whether another server may be the right one by now. */
export function isDemoted(error: unknown): boolean {
  return DEMOTED.has(replyCode(error) ?? '');
}

/** What a script is refused with before it has written anything. */
const REFUSALS = new Set([...PASSING, 'OOM', 'MISCONF', 'NOREPLICAS', 'NOAUTH', 'NOSCRIPT', 'CROSSSLOT']);

/** Whether it is certain that a script that was answered with this error has stored nothing. */
export function hasStoredNothing(error: unknown): boolean {
  const code = replyCode(error);
  if (code === undefined) return false;
  return REFUSALS.has(code) || !(error as Error).message.includes('@user_script');
}
