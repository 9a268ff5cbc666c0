// What a Nest application needs when it is written without a compiler: decorators, applied by hand.
import 'reflect-metadata';
import { Inject } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';

/** Applies decorators to a method: those of its parameters, by index, and then its own. */
export function decorateMethod(target, name, { parameters = [], method }) {
  const { prototype } = target;
  const descriptor = Object.getOwnPropertyDescriptor(prototype, name);
  parameters.forEach((decorate, index) => decorate(prototype, name, index));
  method(prototype, name, descriptor);
  Object.defineProperty(prototype, name, descriptor);
}

export function injectInto(target, ...tokens) {
  tokens.forEach((token, index) => Inject(token)(target, undefined, index));
}

/** An application that listens on the loopback interface only. */
export async function listen(module, { isFastify = false, port = 0, adapterOptions = {} } = {}) {
  const options = { logger: ['error', 'warn'], abortOnError: false };
  const app = isFastify
    ? await NestFactory.create(
        module,
        new (await import('@nestjs/platform-fastify')).FastifyAdapter(adapterOptions),
        options,
      )
    : await NestFactory.create(module, options);
  await app.listen(port, '127.0.0.1');
  return { app, port: app.getHttpServer().address().port };
}

/** Memory of this process in bytes, after the garbage collector has been through. */
export function memory() {
  globalThis.gc?.();
  globalThis.gc?.();
  const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
  return { rss, heapUsed, arrayBuffers };
}
