import 'reflect-metadata';
import * as assert from 'node:assert/strict';
import { Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { SseError, SseModule } from 'nestjs-event-stream';
import { natsEngine } from 'nestjs-event-stream/nats';
import { postgresEngine } from 'nestjs-event-stream/postgres';
import { redisEngine } from 'nestjs-event-stream/redis';
import { sqliteEngine } from 'nestjs-event-stream/sqlite';
import { readStream } from 'nestjs-event-stream/testing';
import { AppModule } from './readme/app.module';

/** From where `moduleResolution: node` does not look at `exports`. */
const engines = [redisEngine, postgresEngine, natsEngine, sqliteEngine];

declare module 'nestjs-event-stream' {
  interface Principal {
    readonly roles: readonly string[];
  }
}
SseModule.forRoot({ authorize: (principal) => principal?.roles.includes('reader') === true });
// @ts-expect-error -- it has no roles
SseModule.forRoot({ authenticate: () => ({ id: 'ann' }) });

/** An ES module, as the libraries of Nest 12 are. */
const library = require('../library/index.mjs') as {
  LibraryModule: Type;
  AlertsService: Type<{ tell(symbol: string, text: string): Promise<void> }>;
  SseError: typeof SseError;
};

@Module({ imports: [AppModule, library.LibraryModule] })
class RootModule {}

async function shareOneModule(): Promise<void> {
  for (const create of engines) assert.equal(typeof create, 'function');
  assert.equal(library.SseError, SseError, 'there is one copy of the package');
  const app = await NestFactory.create(RootModule, { logger: ['error', 'warn'], abortOnError: false });
  await app.listen(0, '127.0.0.1');
  await using stream = await readStream(app, '/stocks/NVDA');
  await app.get(library.AlertsService).tell('NVDA', 'up');
  assert.equal((await stream.next())?.data, 'up');
  await app.close();
}

void shareOneModule().then(() => console.log('a library that is an ES module shares the service'));
