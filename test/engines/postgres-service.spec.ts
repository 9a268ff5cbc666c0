import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { defineTopic, type } from 'nestjs-event-stream';
import { postgresEngine } from 'nestjs-event-stream/postgres';
import { Pool } from 'pg';
import { adapters, startApp } from '../support/app.js';
import { TopicController } from '../support/controllers.js';
import { ServerProcess } from '../support/server-process.js';
import { postgresServer, urlOf } from '../support/servers/postgres.js';

const orders = defineTopic('topic', { events: { shipped: type<{ order: number }>() } });

describe('publishing in a transaction', () => {
  let server: ServerProcess;
  let pool: Pool;

  beforeAll(async () => {
    server = await ServerProcess.start(postgresServer);
    pool = new Pool({ connectionString: urlOf(server.port) });
    await pool.query('create table orders (id int primary key)');
  }, 30_000);

  afterAll(async () => {
    await pool.end();
    await server[Symbol.asyncDispose]();
  });

  test.each(adapters)(
    'sends an event on every node if and only if the data was committed, on $name',
    async (adapter) => {
      const start = () => {
        const options = { engine: postgresEngine({ pool }), topics: [orders] };
        return startApp(adapter, { controllers: [TopicController], options });
      };
      await using one = await start();
      await using other = await start();
      const streams = [await one.open('/topic'), await other.open('/topic')];
      for (const stream of streams) await stream.receive('id: ');
      const base = adapter.isFastify ? 100 : 0;
      const client = await pool.connect();
      try {
        for (const order of [base + 1, base + 2, base + 3]) {
          await client.query('begin');
          await client.query('insert into orders values ($1)', [order]);
          await one.streams.publishInTransaction(client, 'topic', { type: 'shipped', data: { order } });
          await client.query(order === base + 2 ? 'rollback' : 'commit');
        }
      } finally {
        client.release();
      }

      for (const stream of streams) {
        expect(await stream.next()).toMatchObject({ type: 'shipped', data: `{"order":${base + 1}}` });
        expect(await stream.next()).toMatchObject({ type: 'shipped', data: `{"order":${base + 3}}` });
      }
      const { rows } = await pool.query<{ id: number }>('select id from orders where id > $1 order by id', [base]);
      expect(rows.map(({ id }) => id)).toEqual([base + 1, base + 3]);
    },
    20_000,
  );

  test('checks the event as publish() does, and needs an engine that has transactions', async () => {
    await using app = await startApp(adapters[0]!, { options: { engine: postgresEngine({ pool }) } });
    const client = await pool.connect();
    try {
      const wrong = { data: 1, type: 'stream.end' };
      await expect(app.streams.publishInTransaction(client, 'a', wrong)).rejects.toMatchObject({
        code: 'invalid-event',
      });
      await expect(app.streams.publishInTransaction(client, 'a//b', { data: 1 })).rejects.toMatchObject({
        code: 'invalid-topic',
      });
      await using plain = await startApp(adapters[0]!, {});
      await expect(plain.streams.publishInTransaction(client, 'a', { data: 1 })).rejects.toMatchObject({
        code: 'invalid-options',
      });
    } finally {
      client.release();
    }
  });
});
