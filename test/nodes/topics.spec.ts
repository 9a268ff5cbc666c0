import { describe, expect, jest, test } from '@jest/globals';
import {
  type Engine,
  type Principal,
  type TopicFamily,
  defineTopic,
  getTopicToken,
  memoryEngine,
  type,
} from 'nestjs-event-stream';
import { type TestApp, adapters, startApp } from '../support/app.js';
import { engineKinds } from '../support/engines.js';
import { GuardedController, as, byName } from '../support/people.js';

jest.setTimeout(60_000);

const isStaff = (principal: Principal | null): boolean => principal?.id === 'staff';
const rooms = defineTopic('rooms/:building/:room', {
  events: { alarm: type<number>() },
  authorize: () => false,
  authorizePattern: isStaff,
});
const lobby = defineTopic('rooms/:building/lobby', { authorize: isStaff, authorizePattern: isStaff });

async function start(engine: Engine): Promise<TestApp> {
  const options = { engine, authenticate: byName, topics: [rooms, lobby] as never };
  const app = await startApp(adapters[0]!, { controllers: [GuardedController], options });
  const family: TopicFamily<typeof rooms> = app.nest.get(getTopicToken(rooms), { strict: false });
  app.nest.get(GuardedController).createSource = () =>
    family.all({ building: 'north' }).map(({ topic, data }) => `${topic} ${data}`);
  return app;
}

describe.each(engineKinds)('with $name', ({ isShared, open }) => {
  test('all topics of a definition come with their names, live and when a client resumes, by whichever node', async () => {
    await using log = await open();
    const engine = log.engine();
    await using app = await start(engine);
    await using other = isShared ? await start(log.engine()) : await start(memoryEngine());
    const reader = isShared ? other : app;
    const stream = await reader.open('/source', as('staff'));
    await stream.receive('id: ');

    for (const [n, topic] of ['south/1', 'north/1', 'north/lobby', 'north/2'].entries())
      await app.streams.publish(`rooms/${topic}`, { type: 'alarm', data: n });
    const live = await stream.take(2);
    const resumed = await app.open('/source', as('staff', live[0]!.id));
    const refused = await reader.open('/source', as('ann', live[0]!.id));

    expect(live.map(({ data }) => data)).toEqual(['rooms/north/1 1', 'rooms/north/2 3']);
    expect(await resumed.next()).toMatchObject({ data: 'rooms/north/2 3', id: live[1]!.id });
    expect(resumed.text).not.toContain('lobby');
    expect(refused.status).toBe(403);
  });
});
