import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { NextFunction, Request, Response } from 'express';
import { fileURLToPath } from 'node:url';
import { AppModule } from './app.module.js';

const app = await NestFactory.create<NestExpressApplication>(AppModule, { logger: ['error', 'warn'] });
app.useStaticAssets(fileURLToPath(new URL('./public/', import.meta.url)));
// The page shows which node has answered.
app.use((_request: Request, response: Response, next: NextFunction) => {
  response.setHeader('X-Node', process.env.NODE_NAME ?? 'a');
  next();
});
// The balancer is here, and says who its clients are.
app.set('trust proxy', 'loopback');
// On SIGTERM each stream gets a last `retry:` and ends, and its client comes back to another node.
app.enableShutdownHooks();
await app.listen(Number(process.env.PORT || 3000), '127.0.0.1');
