import { cleanError } from '../engine/kit/clean-error.js';
import { EngineFailures } from '../engine/kit/failure.js';
import {
  MAX_TIMER_MS,
  anyObject,
  checkOneOf,
  checkOptions,
  number,
  oneOf,
  problemOf,
  refuse,
  wholeNumber,
} from '../rules.js';
import type { Rule, Rules } from '../rules.js';
import { EXPECTED_SERVERS, parseServer } from './address.js';
import { isNatsConnection } from './driver.js';
import type { NatsConnection } from './driver.js';
import { secretsOfAddress, secretsOfOptions } from './secrets.js';

/** Exactly one of `connection`, `servers` and `options` is given. */
export interface NatsEngineOptions {
  /** A connection of `@nats-io/transport-node` that the application already has. The engine never closes it. */
  readonly connection?: NatsConnection | undefined;
  /**
   * Where the servers are, for example `nats://127.0.0.1:4222` or `tls://user:password@nats.example`. The engine opens one
   * connection and closes it.
   */
  readonly servers?: string | readonly string[] | undefined;
  /** The `ConnectionOptions` of `@nats-io/transport-node`. The engine opens one connection and closes it. */
  readonly options?: object | undefined;
  /**
   * What all subjects of the engine begin with: letters, digits, `_` and `-`, in tokens parted by dots; at most 64 characters.
   *
   * @default 'sse'
   */
  readonly prefix?: string | undefined;
  /**
   * The name of the JetStream stream: letters, digits, `_` and `-`; at most 64 characters.
   *
   * @default the prefix, with `_` for its dots
   */
  readonly stream?: string | undefined;
  /** The JetStream domain, where the account uses one: letters, digits, `_` and `-`. */
  readonly domain?: string | undefined;
  /**
   * What the subjects begin with that answers are sent to, where the account allows only some.
   *
   * @default '_INBOX'
   */
  readonly inboxPrefix?: string | undefined;
  /**
   * Where a stream that the engine creates keeps its messages: on disk, or in the memory of the server.
   *
   * @default 'file'
   */
  readonly storage?: 'file' | 'memory' | undefined;
  /**
   * How many servers of the cluster keep a copy of a stream that the engine creates.
   *
   * Whole, `1` to `5`.
   *
   * @default 1
   */
  readonly replicas?: number | undefined;
  /**
   * The longest `maxAgeMs` of any topic's history. A stream that the engine creates keeps messages four times as long,
   * so that who comes back late is told exactly what is missing. `Infinity` for no such bound.
   *
   * Minimum: `100`.
   *
   * @default 600_000
   */
  readonly maxAgeMs?: number | undefined;
  /**
   * The largest `maxEvents` of any topic's history. A stream that the engine creates keeps one message more of each
   * topic. A topic whose history allows more keeps no more than this.
   *
   * Whole, `1` to `100_000`.
   *
   * @default 1_000
   */
  readonly maxEventsPerTopic?: number | undefined;
  /**
   * How many bytes a stream that the engine creates may take. When more would be kept, the oldest messages of all
   * topics go first. `Infinity` for no such bound.
   *
   * Minimum: `1024`.
   *
   * @default Infinity
   */
  readonly maxTotalBytes?: number | undefined;
  /**
   * After how many milliseconds a call is given up.
   *
   * Minimum: `10`; at most `60_000`, half of the time in which the server recognises what is sent twice.
   *
   * @default 5_000
   */
  readonly timeoutMs?: number | undefined;
  /**
   * How often the connection is asked for a sign of life, in milliseconds. One that gives none for half as long again
   * is dead, and is made anew.
   *
   * Minimum: `20`.
   *
   * @default 10_000
   */
  readonly probeMs?: number | undefined;
}

/** How the connection is got: as it is, or with the options of `connect`. */
export type ConnectionSource = { readonly connection: NatsConnection } | { readonly options: object };

/** Checked, and with the defaults filled in. */
export interface NatsSettings {
  readonly source: ConnectionSource;
  readonly failures: EngineFailures;
  readonly prefix: string;
  readonly stream: string;
  readonly apiPrefix: string;
  readonly inboxPrefix: string;
  readonly storage: 'file' | 'memory';
  readonly replicas: number;
  readonly maxAgeMs: number;
  readonly maxEventsPerTopic: number;
  readonly maxTotalBytes: number;
  readonly timeoutMs: number;
  readonly probeMs: number;
}

const TOKEN = /^[A-Za-z0-9_-]{1,64}$/;
const TOKENS = /^(?=.{1,64}$)[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/;
/** Each can be read within the time of a call: all rows of a topic take about a second. */
const MAX_EVENTS_PER_TOPIC = 100_000;

const isText = (value: unknown, form: RegExp): boolean => typeof value === 'string' && form.test(value);
const isServer = (value: unknown): boolean => typeof value === 'string' && parseServer(value) !== undefined;
const isServers = (value: unknown): boolean =>
  isServer(value) || (Array.isArray(value) && value.length > 0 && value.every(isServer));

const token: Rule = {
  expected: '1 to 64 letters, digits, _ and -',
  allows: (value) => isText(value, TOKEN),
};
const tokens: Rule = {
  expected: 'tokens of letters, digits, _ and -, parted by dots, at most 64 characters',
  allows: (value) => isText(value, TOKENS),
};
const servers: Rule = { expected: EXPECTED_SERVERS, allows: isServers, isSecret: true };

const RULES: Rules<NatsEngineOptions> = {
  connection: { expected: 'a NatsConnection of @nats-io/transport-node', allows: isNatsConnection, isSecret: true },
  servers,
  options: (value, name) =>
    problemOf(value, anyObject, name) ?? problemOf(serversOf(value as object), servers, `${name}.servers`),
  prefix: tokens,
  stream: token,
  domain: token,
  inboxPrefix: tokens,
  storage: oneOf('file', 'memory'),
  replicas: wholeNumber(1, 5),
  maxAgeMs: {
    expected: 'a number from 100 to 1e11, or Infinity',
    allows: (value) => value === Infinity || number(100, 1e11).allows(value),
  },
  maxEventsPerTopic: wholeNumber(1, MAX_EVENTS_PER_TOPIC),
  maxTotalBytes: number(1_024),
  timeoutMs: number(10, 60_000),
  probeMs: number(20, MAX_TIMER_MS),
};

/** @throws SseError `invalid-options` */
export function resolveOptions(given: NatsEngineOptions): NatsSettings {
  checkOptions('natsEngine', given, RULES);
  checkOneOf('natsEngine', given, ['connection', 'servers', 'options']);
  const { prefix = 'sse', domain } = given;
  const secrets = secretsIn(given);
  return {
    source: sourceOf(given),
    failures: new EngineFailures('NATS', (error) => cleanError(error, secrets)),
    prefix,
    stream: given.stream ?? prefix.replaceAll('.', '_'),
    apiPrefix: domain === undefined ? '$JS.API' : `$JS.${domain}.API`,
    inboxPrefix: given.inboxPrefix ?? '_INBOX',
    storage: given.storage ?? 'file',
    replicas: given.replicas ?? 1,
    maxAgeMs: given.maxAgeMs ?? 600_000,
    maxEventsPerTopic: given.maxEventsPerTopic ?? 1_000,
    maxTotalBytes: given.maxTotalBytes ?? Infinity,
    timeoutMs: given.timeoutMs ?? 5_000,
    probeMs: given.probeMs ?? 10_000,
  };
}

function sourceOf({ connection, servers, options }: NatsEngineOptions): ConnectionSource {
  if (connection !== undefined) return { connection };
  return { options: options === undefined ? withServers({}, servers) : withServers(options, serversOf(options)) };
}

/** The driver does not look at the credentials in addresses, nor at `tls:`. */
function withServers(options: object, servers: unknown): object {
  if (servers === undefined) return options;
  const addresses = [servers].flat().flatMap((each) => parseServer(each as string) ?? []);
  const [credentials, ...others] = addresses.flatMap((each) => each.credentials ?? []);
  if (others.some((other) => JSON.stringify(other) !== JSON.stringify(credentials))) {
    refuse('natsEngine', 'the addresses must have the same user and password: there is one connection for all of them');
  }
  const tls = addresses.some(({ isTls }) => isTls) ? { tls: {} } : {};
  return { ...tls, ...credentials, ...options, servers: addresses.map(({ server }) => server) };
}

function serversOf(options: object): unknown {
  return (options as { readonly servers?: unknown }).servers;
}

function secretsIn({ connection, servers, options }: NatsEngineOptions): string[] {
  const addresses = [servers ?? (options && serversOf(options)) ?? []].flat() as string[];
  const given = connection as { readonly options?: unknown } | undefined;
  return [...secretsOfOptions(options), ...secretsOfOptions(given?.options), ...addresses.flatMap(secretsOfAddress)];
}
