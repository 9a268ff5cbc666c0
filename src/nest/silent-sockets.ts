import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import { Inject, Injectable } from '@nestjs/common';
import type { OnApplicationBootstrap } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';

/**
 * The sockets on which no request has come yet. Clients open them ahead of time, browsers and Node's `fetch` (also after
 * a stream was aborted) among them. Node does not count them as idle when a server closes, so that one of them keeps
 * `app.close()` waiting until `headersTimeout`, a minute and more: measured on Node 20 with both adapters.
 */
@Injectable()
export class SilentSockets implements OnApplicationBootstrap {
  readonly #adapterHost: HttpAdapterHost;
  readonly #sockets = new Set<Socket>();

  constructor(@Inject(HttpAdapterHost) adapterHost: HttpAdapterHost) {
    this.#adapterHost = adapterHost;
  }

  onApplicationBootstrap(): void {
    // There is no adapter in an application context without HTTP, and an HTTP/2 server closes its sessions by itself.
    const server = this.#adapterHost.httpAdapter?.getHttpServer() as Server | undefined;
    if (typeof server?.closeIdleConnections !== 'function') return;
    const sockets = this.#sockets;
    function forget(this: Socket): void {
      sockets.delete(this);
    }
    server.on('setSecureContext' in server ? 'secureConnection' : 'connection', (socket: Socket) => {
      sockets.add(socket);
      socket.once('close', forget);
    });
    server.on('request', ({ socket }: IncomingMessage) => {
      if (sockets.delete(socket)) socket.removeListener('close', forget);
    });
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}
