// The engines that benches run on: their servers, and what the bare driver does.
import { Client, Pool } from 'pg';
import { Redis } from 'ioredis';
import { connect } from '@nats-io/transport-node';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { NATS } from '../../test/support/servers/nats.ts';
import { postgresServer, urlOf } from '../../test/support/servers/postgres.ts';
import { redisServer } from '../../test/support/servers/redis.ts';

export const ENGINES = {
  redis: {
    server: redisServer(),
    open: 'redis/index.js',
    make: ({ redisEngine }, port) => redisEngine({ url: `redis://127.0.0.1:${port}` }),
  },
  postgres: {
    server: postgresServer,
    open: 'postgres/index.js',
    make: ({ postgresEngine }, port) => postgresEngine({ connectionString: urlOf(port) }),
  },
  nats: {
    server: NATS,
    open: 'nats/index.js',
    make: ({ natsEngine }, port) => natsEngine({ servers: `127.0.0.1:${port}` }),
  },
};

/** @param dist the folder of the build that it is taken of */
export async function openEngine(name, port, dist = new URL('../../dist/', import.meta.url)) {
  const { open, make } = ENGINES[name];
  return make(await import(new URL(`esm/${open}`, dist)), port);
}

export const BARE = {
  redis: { open: bareRedis, store: redisStore, heads: redisHeads, subscriptions: redisSubscriptions },
  postgres: { open: barePostgres, store: postgresStore, heads: postgresHeads, subscriptions: postgresConnections },
  nats: { open: bareNats, store: natsStore },
};

/** How many events of a topic the bare stores keep. */
const KEPT = 100;

/** Each gives `publish(topic, text)`, and `subscribe(topics, onText)`. */
async function bareRedis(port) {
  const client = new Redis(port, '127.0.0.1');
  return {
    publish: (topic, text) => client.publish(topic, text),
    async subscribe(topics, onText) {
      client.on('message', (_, text) => onText(text));
      await client.subscribe(...topics);
    },
  };
}

/** What is sent in one turn goes together. */
async function redisStore(port) {
  const client = new Redis(port, '127.0.0.1', { enableAutoPipelining: true });
  return (topic, data) => client.xadd(`bare:${topic}`, 'MAXLEN', '~', KEPT, '*', 'd', data);
}

async function redisHeads(port, topics) {
  const client = new Redis(port, '127.0.0.1');
  const fill = client.pipeline();
  for (const topic of topics) fill.set(`bare:${topic}`, '123456:1767225600000');
  await fill.exec();
  return {
    async read() {
      const pipeline = client.pipeline();
      for (const topic of topics) pipeline.get(`bare:${topic}`);
      return pipeline.exec();
    },
    close: () => client.quit(),
  };
}

async function redisSubscriptions(port) {
  const client = new Redis(port, '127.0.0.1');
  return async () => (await client.pubsub('CHANNELS')).length;
}

async function barePostgres(port) {
  const client = new Client(urlOf(port));
  await client.connect();
  return {
    publish: (_, text) => client.query('select pg_notify($1, $2)', ['bare', text]),
    async subscribe(_, onText) {
      client.on('notification', ({ payload }) => onText(payload));
      await client.query('listen bare');
    },
  };
}

/** Nothing is ever deleted. */
async function postgresStore(port) {
  const pool = new Pool({ connectionString: urlOf(port), max: 8 });
  await pool.query('create table bare_event (seq bigserial primary key, topic text, data bytea)');
  const insert = { name: 'insert', text: 'insert into bare_event (topic, data) values ($1, $2) returning seq' };
  return (topic, data) => pool.query({ ...insert, values: [topic, data] });
}

async function postgresHeads(port, topics) {
  const client = new Client(urlOf(port));
  await client.connect();
  await client.query('create table if not exists bare_head (name text collate "C" primary key, seq bigint, at bigint)');
  await client.query('insert into bare_head select name, 123456, 1767225600000 from unnest($1::text[]) name', [topics]);
  return {
    read: () => client.query('select name, seq, at from bare_head where name = any($1)', [topics]),
    close: () => client.end(),
  };
}

async function postgresConnections(port) {
  const client = new Client(urlOf(port));
  await client.connect();
  return async () => (await client.query('select from pg_stat_activity')).rows.length;
}

async function bareNats(port) {
  const connection = await connect({ servers: `127.0.0.1:${port}` });
  const manager = await jetstreamManager(connection);
  const republish = { src: 'bare.s.>', dest: 'bare.l.>' };
  await manager.streams.add({ name: 'BARE', subjects: ['bare.s.>'], republish }).catch(() => undefined);
  const stream = jetstream(connection);
  const subject = (kind, topic) => `bare.${kind}.${topic.replace('/', '_')}`;
  return {
    publish: (topic, text) => stream.publish(subject('s', topic), text),
    async subscribe(topics, onText) {
      const callback = (_, message) => onText(message.string());
      for (const topic of topics) connection.subscribe(subject('l', topic), { callback });
      await connection.flush();
    },
  };
}

async function natsStore(port) {
  const connection = await connect({ servers: `127.0.0.1:${port}` });
  const manager = await jetstreamManager(connection);
  await manager.streams.add({ name: 'STORE', subjects: ['store.>'], max_msgs_per_subject: KEPT });
  const stream = jetstream(connection);
  return (topic, data) => stream.publish(`store.${topic.replace('/', '_')}`, data);
}
