import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { EventSource } from 'nestjs-event-stream/client';
import { Bench, type SourceClass } from '../support/eventsource/bench.js';
import { CASES, nameOf, runCase } from '../support/eventsource/cases.js';
import { CasesServer } from '../support/eventsource/server.js';

let server: CasesServer;
beforeAll(async () => (server = await CasesServer.start()));
afterAll(() => server[Symbol.asyncDispose]());

it.each(CASES.filter(({ inPage }) => !inPage).map((each) => [nameOf(each), each] as const))(
  '%s, in Node',
  async (name, { expected, ours }) => {
    const bench = new Bench(EventSource as SourceClass, server.near, server.far);

    expect(await runCase(name, bench)).toEqual(ours ? ours.does : expected);
  },
);
