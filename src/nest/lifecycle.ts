import { Inject, Injectable } from '@nestjs/common';
import type { BeforeApplicationShutdown, OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import { spread } from '../access/refusals.js';
import { retryMsOf } from '../connection/stream-host.js';
import { Node } from '../node/node.js';
import { AppServer } from './app-server.js';
import type { ResolvedOptions } from './resolve-options.js';
import { RESOLVED_OPTIONS } from './tokens.js';

/** The node's beginning and end, as Nest has them. */
@Injectable()
export class Lifecycle implements OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown {
  readonly #node: Node;
  readonly #server: AppServer;
  readonly #options: ResolvedOptions;

  constructor(
    @Inject(Node) node: Node,
    @Inject(AppServer) server: AppServer,
    @Inject(RESOLVED_OPTIONS) options: ResolvedOptions,
  ) {
    this.#node = node;
    this.#server = server;
    this.#options = options;
  }

  async onApplicationBootstrap(): Promise<void> {
    this.#server.watch();
    await this.#node.check();
  }

  async beforeApplicationShutdown(): Promise<void> {
    const { drain, settings } = this.#options;
    await this.#node.drain();
    this.#server.close(drain.deadlineMs, () => spread(retryMsOf(settings)));
  }

  async onApplicationShutdown(): Promise<void> {
    await this.#node.close();
  }
}
