import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { Request, Response } from 'express';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AppModule } from './app.module.js';

/** The pages, scripts and styles: one place to change when the compiled files lie elsewhere. */
const PUBLIC_DIR = fileURLToPath(new URL('./public/', import.meta.url));
const { resolve } = createRequire(import.meta.url);
const UPLOT_DIR = dirname(resolve('uplot'));
/** The client as one file, for pages without a bundler: `import { openStream } from '/client.js'`. */
const CLIENT_FILE = resolve('nestjs-event-stream/client.js');

export async function createApp(): Promise<NestExpressApplication> {
  const app = await NestFactory.create<NestExpressApplication>(AppModule, { logger: ['error', 'warn'] });
  app.useStaticAssets(PUBLIC_DIR, { extensions: ['html'] });
  app.useStaticAssets(UPLOT_DIR, { prefix: '/vendor/' });
  app.use('/client.js', (_request: Request, response: Response) => response.sendFile(CLIENT_FILE));
  // Ctrl-C: each stream gets a last `retry:` and ends, and its client comes back to the next process.
  app.enableShutdownHooks();
  return app;
}
