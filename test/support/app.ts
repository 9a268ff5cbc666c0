import {
  type DynamicModule,
  type ForwardReference,
  type INestApplication,
  type NestApplicationOptions,
  type Provider,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { type Engine, EventStreamService, SseModule, type SseModuleOptions } from 'nestjs-event-stream';
import { type Stream, openFetch, openHttp2 } from './stream.js';

/** What an application runs on. */
export interface Adapter {
  readonly name: string;
  readonly isHttp2: boolean;
  readonly isFastify: boolean;
  create(): ExpressAdapter | FastifyAdapter;
}

const express: Adapter = { name: 'Express', isHttp2: false, isFastify: false, create: () => new ExpressAdapter() };
const fastify: Adapter = { name: 'Fastify', isHttp2: false, isFastify: true, create: () => new FastifyAdapter() };
const http2: Adapter = {
  name: 'Fastify over HTTP/2',
  isHttp2: true,
  isFastify: true,
  // The overloads of the constructor want the server's type told; the options are what makes it HTTP/2.
  create: () => new FastifyAdapter({ http2: true } as object),
};

/** Every HTTP case runs on these. */
export const adapters: readonly Adapter[] = [express, fastify];

/** The same behind a proxy that they trust. */
export const trustingAdapters: readonly Adapter[] = [
  { ...express, create: createTrustingExpress },
  { ...fastify, create: () => new FastifyAdapter({ trustProxy: true }) },
];

/** Every case that depends on how bytes travel runs on these. */
export const transports: readonly Adapter[] = [express, fastify, http2];

function createTrustingExpress(): ExpressAdapter {
  const adapter = new ExpressAdapter();
  adapter.set('trust proxy', true);
  return adapter;
}

export interface AppOptions {
  readonly controllers?: readonly Type[];
  readonly providers?: readonly Provider[];
  readonly imports?: readonly (Type | DynamicModule | ForwardReference)[];
  /** The options of `SseModule.forRoot()`. */
  readonly options?: SseModuleOptions & { isGlobal?: boolean };
  /** In place of `SseModule.forRoot(options)`. */
  readonly module?: DynamicModule;
  readonly nest?: NestApplicationOptions;
  readonly configure?: (app: INestApplication) => unknown;
}

/** The engine itself, and not one of its own for each application: what a test puts into it is called. */
export function alone(engine: Engine): Engine {
  return Object.assign(engine, { open: undefined });
}

/** A listening application, to be held with `await using`. */
export class TestApp {
  readonly nest: INestApplication;
  readonly url: string;
  readonly adapter: Adapter;
  readonly #streams: Stream[] = [];

  constructor(nest: INestApplication, url: string, adapter: Adapter) {
    this.nest = nest;
    this.url = url;
    this.adapter = adapter;
  }

  get streams(): EventStreamService {
    return this.nest.get(EventStreamService, { strict: false });
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  /** Sends a request. The answer's body is read only as it is asked for. */
  async open(path: string, init: RequestInit = {}): Promise<Stream> {
    const stream = await (this.adapter.isHttp2 ? openHttp2 : openFetch)(this.url + path, init);
    this.#streams.push(stream);
    return stream;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const stream of this.#streams) stream.leave();
    await this.nest.close();
  }
}

/** Starts an application with the module in it. */
export async function startApp(adapter: Adapter, given: AppOptions = {}): Promise<TestApp> {
  class AppModule {}
  const root: DynamicModule = {
    module: AppModule,
    imports: [given.module ?? SseModule.forRoot(given.options), ...(given.imports ?? [])] as DynamicModule[],
    controllers: [...(given.controllers ?? [])],
    providers: [...(given.providers ?? [])],
  };
  const settings = { logger: false as const, abortOnError: false, ...given.nest };
  const nest = await NestFactory.create<INestApplication>(root, adapter.create(), settings);
  try {
    await given.configure?.(nest);
    await nest.listen(0, '127.0.0.1');
  } catch (error) {
    await nest.close();
    throw error;
  }
  return new TestApp(nest, await nest.getUrl(), adapter);
}
