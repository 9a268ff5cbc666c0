import { Module, type INestApplication, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { EventStreamService, SseModule, type SseModuleOptions } from 'nestjs-event-stream';
import type { AddressInfo } from 'node:net';

export interface FaultsApp extends AsyncDisposable {
  readonly app: INestApplication;
  readonly streams: EventStreamService;
  readonly port: number;
}

/** A Nest application that listens, with these controllers. */
export async function startApp(
  adapter: 'express' | 'fastify',
  options: SseModuleOptions,
  controllers: Type<unknown>[],
): Promise<FaultsApp> {
  @Module({ imports: [SseModule.forRoot(options)], controllers })
  class FaultsModule {}

  const http = adapter === 'express' ? new ExpressAdapter() : new FastifyAdapter();
  const app = await NestFactory.create(FaultsModule, http as ExpressAdapter, { logger: false, abortOnError: false });
  await app.listen(0, '127.0.0.1');
  const { port } = app.getHttpServer().address() as AddressInfo;
  return { app, streams: app.get(EventStreamService), port, [Symbol.asyncDispose]: () => app.close() };
}
