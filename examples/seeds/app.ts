import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { SseModule } from 'nestjs-event-stream';
import { fileURLToPath } from 'node:url';
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

/** The servers of the five seed documents in one: each under its number, where the documents have ports of their own. */
export async function createApp(): Promise<NestExpressApplication> {
  const app = await NestFactory.create<NestExpressApplication>(AppModule, { logger: ['error', 'warn'] });
  app.enableCors({ origin: '*', allowedHeaders: '*' });
  app.useStaticAssets(fileURLToPath(new URL('./public/', import.meta.url)));
  app.enableShutdownHooks();
  return app;
}
