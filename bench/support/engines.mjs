// The engines that benches run on: their servers, and what the bare driver does.
import { Client } from 'pg';
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

export async function openEngine(name, port) {
  const { open, make } = ENGINES[name];
  return make(await import(`../../dist/esm/${open}`), port);
}

export const BARE = {
  redis: { open: bareRedis, heads: redisHeads, subscriptions: redisSubscriptions },
  postgres: { open: barePostgres, heads: postgresHeads, subscriptions: postgresConnections },
  nats: { open: bareNats },
};

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
