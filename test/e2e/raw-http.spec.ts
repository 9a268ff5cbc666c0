import { describe, expect, test } from '@jest/globals';
import { of } from 'rxjs';
import { adapters, startApp } from '../support/app.js';
import { TopicController, streamOf } from '../support/controllers.js';
import { openRaw } from '../support/raw.js';
import { until } from '../support/until.js';

describe.each(adapters)('on $name', (adapter) => {
  test('the head and a first chunk go out before there is any event', async () => {
    await using app = await startApp(adapter, {
      controllers: [TopicController, streamOf(() => new Promise(() => {}))],
    });
    await using client = await openRaw(app.port, 'GET /topic HTTP/1.1', 'Host: x');

    await client.receive(/^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\n[0-9a-f]+\r\nretry: 3000\n: heartbeat 15000\n/);
    await client.receive(/\nid: \S+\n\n\r\n$/);
  });

  test('HTTP/1.0 gets the stream without chunk framing, and its end by the end of the connection', async () => {
    await using app = await startApp(adapter, { controllers: [TopicController] });
    await using client = await openRaw(app.port, 'GET /topic HTTP/1.0');
    await client.receive(/\r\n\r\nretry: 3000\n: heartbeat 15000\nid: \S+\n\n/);

    await app.streams.publish('topic', { data: 'a' });
    await client.receive('data: a\n\n');
    void app.streams.topic('topic').complete();
    await client.closed();

    expect(client.text).not.toMatch(/transfer-encoding/i);
    expect(client.text).toMatch(
      /\r\n\r\nretry: 3000\n: heartbeat 15000\nid: \S+\n\nid: \S+\ndata: a\n\nevent: stream\.end\n/,
    );
  });

  test('Connection: close gets the stream, and the connection ends with it', async () => {
    await using app = await startApp(adapter, { controllers: [TopicController] });
    await using client = await openRaw(app.port, 'GET /topic HTTP/1.1', 'Host: x', 'Connection: close');
    await client.receive('id: ');

    await app.streams.publish('topic', { data: 'a' });
    await client.receive('data: a\n\n');
    void app.streams.topic('topic').complete();
    await client.closed();

    expect(client.text).toMatch(/connection: close/i);
  });

  test('a connection that is kept alive serves the next request after a stream has ended', async () => {
    await using app = await startApp(adapter, { controllers: [streamOf(() => of('a'))] });
    await using client = await openRaw(app.port, 'GET /stream HTTP/1.1', 'Host: x');
    await client.receive('\r\n0\r\n\r\n');

    client.text = '';
    client.socket.write('GET /stream HTTP/1.1\r\nHost: x\r\n\r\n');

    await client.receive(/^HTTP\/1\.1 200[^]*data: a\n[^]*\r\n0\r\n\r\n$/);
  });

  test('of two pipelined requests the second is answered after the first has ended', async () => {
    await using app = await startApp(adapter, { controllers: [TopicController, streamOf(() => of('second'))] });
    const requests = ['GET /topic HTTP/1.1', 'Host: x', '', 'GET /stream HTTP/1.1', 'Host: x'];
    await using client = await openRaw(app.port, ...requests);
    await client.receive('id: ');

    await app.streams.publish('topic', { data: 'first' });
    await client.receive('data: first');
    expect(client.text).not.toContain('second');
    void app.streams.topic('topic').complete();

    await client.receive(/data: first[^]*stream\.end[^]*HTTP\/1\.1 200[^]*data: second[^]*\r\n0\r\n\r\n$/);
  });

  test('topics over pipelined requests come each in its own response', async () => {
    await using app = await startApp(adapter, {
      controllers: [TopicController, streamOf(({ streams }) => streams.topic('other'))],
    });
    const requests = ['GET /topic HTTP/1.1', 'Host: x', '', 'GET /stream HTTP/1.1', 'Host: x'];
    await using client = await openRaw(app.port, ...requests);
    await client.receive('id: ');
    await until(() => app.streams.connections.count === 2, 'both to be open');

    await app.streams.publish('other', { data: 'second' });
    await app.streams.publish('topic', { data: 'first' });
    await client.receive('data: first');
    void app.streams.topic('topic').complete();
    await client.receive(/stream\.end[^]*HTTP\/1\.1 200[^]*data: second/);
    await app.streams.publish('other', { data: 'live' });

    await client.receive('data: live');
    expect(client.text).not.toMatch(/data: second[^]*stream\.end/);
  });

  test('a client that leaves frees all of its pipelined requests', async () => {
    await using app = await startApp(adapter, { controllers: [TopicController] });
    const request = ['GET /topic HTTP/1.1', 'Host: x', ''];
    await using client = await openRaw(app.port, ...request, ...request, ...request.slice(0, 2));
    await until(() => app.streams.connections.count === 3, 'all three to be open');

    client.socket.destroy();

    await until(() => app.streams.connections.count === 0, 'all to be freed');
  });

  test('a reset during the head frees everything', async () => {
    await using app = await startApp(adapter, { controllers: [TopicController] });
    for (let round = 0; round < 20; round++) {
      const client = await openRaw(app.port, 'GET /topic HTTP/1.1', 'Host: x');
      client.socket.resetAndDestroy();
    }
    await using last = await openRaw(app.port, 'GET /topic HTTP/1.1', 'Host: x');
    await last.receive('id: ');

    await until(() => app.streams.connections.count === 1, 'all but the last to be freed');
    await app.streams.publish('topic', { data: 'a' });

    await last.receive('data: a');
  });
});
