import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { SseModule } from 'nestjs-event-stream';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Request, Response } from 'express';
import { Seed000Controller } from './seed-000.controller.js';
import { Seed001Controller } from './seed-001.controller.js';
import { Seed002Controller } from './seed-002.controller.js';
import { Seed003Controller } from './seed-003.controller.js';
import { Seed004Controller } from './seed-004.controller.js';

@Module({
  imports: [SseModule.forRoot()],
  controllers: [Seed000Controller, Seed001Controller, Seed002Controller, Seed003Controller, Seed004Controller],
})
export class AppModule {}

/**
 * The servers of the five seed documents in one: each under its number, where the documents have ports of their own.
 *
 * @param client the module that pages load from `/client.js`, when they are to use our `EventSource`
 */
export async function createApp(client?: string): Promise<NestExpressApplication> {
  const script = client ?? (await readClient());
  const app = await NestFactory.create<NestExpressApplication>(AppModule, { logger: ['error', 'warn'] });
  app.enableCors({ origin: '*', allowedHeaders: '*' });
  app.useStaticAssets(fileURLToPath(new URL('./public/', import.meta.url)));
  app.use('/client.js', (_request: Request, response: Response) => response.type('js').send(script));
  app.enableShutdownHooks();
  return app;
}

/** That of the package: one file without imports, so that a page can load it as it is. */
function readClient(): Promise<string> {
  return readFile(new URL(import.meta.resolve('nestjs-event-stream/client')), 'utf8');
}
