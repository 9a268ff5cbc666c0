import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AppModule } from './app.module.js';

/** The pages, scripts and styles: one place to change when the compiled files lie elsewhere. */
const PUBLIC_DIR = fileURLToPath(new URL('./public/', import.meta.url));
const UPLOT_DIR = dirname(createRequire(import.meta.url).resolve('uplot'));

export async function createApp(): Promise<NestExpressApplication> {
  const app = await NestFactory.create<NestExpressApplication>(AppModule, { logger: ['error', 'warn'] });
  app.useStaticAssets(PUBLIC_DIR, { extensions: ['html'] });
  app.useStaticAssets(UPLOT_DIR, { prefix: '/vendor/' });
  // Ctrl-C: each stream gets a last `retry:` and ends, and its client comes back to the next process.
  app.enableShutdownHooks();
  return app;
}
