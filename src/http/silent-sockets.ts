import { Server as HttpServer } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { Http2SecureServer, Http2Server, ServerHttp2Session } from 'node:http2';
import type { Server as HttpsServer } from 'node:https';
import type { Socket } from 'node:net';

export type AnyServer = HttpServer | HttpsServer | Http2Server | Http2SecureServer;

/** An HTTP/2 session, the connection that it is on, and how many of its streams are open. */
interface Session {
  readonly session: ServerHttp2Session;
  readonly socket: Socket | undefined;
  streams: number;
  isEnding: boolean;
}

/**
 * The connections on which nothing is going on, and which Node waits for when a server closes (measured on Node 20 with
 * both adapters):
 *
 * - those on which no request has come yet. Clients open them ahead of time, browsers and Node's `fetch` among them, also
 *   after a stream was aborted. They keep `app.close()` waiting until `headersTimeout`, or, without a TLS handshake, until
 *   `handshakeTimeout`: a minute and more.
 * - HTTP/2 sessions without a stream, and those that wait for the client to close a connection that was closed to it.
 */
export class SilentSockets {
  /** By the socket itself or, where another one wraps it, by the client's address and port. */
  readonly #silent = new Map<unknown, Socket>();
  readonly #sessions = new Set<Session>();
  /** Once the server is closing: how long a connection may take for its last bytes. */
  #deadlineMs: number | undefined;

  /** Begins to watch a server, before it listens. */
  watch(server: AnyServer): void {
    const keyOf = server instanceof HttpServer && !('setSecureContext' in server) ? itself : addressOf;
    const silent = this.#silent;
    function forget(this: Socket): void {
      if (silent.get(keyOf(this)) === this) silent.delete(keyOf(this));
    }
    const add = (socket: Socket): void => {
      silent.set(keyOf(socket), socket);
      socket.once('close', forget);
    };
    // Before Node makes a session of it. One that is secured takes the place of the one beneath it.
    server.prependListener('connection', add).prependListener('secureConnection', add);
    server.on('request', ({ socket, httpVersionMajor }: IncomingMessage) => {
      if (httpVersionMajor < 2 && silent.delete(keyOf(socket))) socket.removeListener('close', forget);
    });
    server.on('session', (session: ServerHttp2Session) => {
      const key = keyOf(session.socket);
      this.#addSession(session, silent.get(key));
      silent.delete(key);
    });
  }

  /** Lets go of them, and of each session as soon as it has no stream, after `deadlineMs` also with bytes left to send. */
  close(deadlineMs: number): void {
    this.#deadlineMs = deadlineMs;
    for (const socket of this.#silent.values()) socket.destroy();
    for (const one of this.#sessions) this.#end(one, deadlineMs);
  }

  #addSession(session: ServerHttp2Session, socket: Socket | undefined): void {
    const one: Session = { session, socket, streams: 0, isEnding: false };
    this.#sessions.add(one);
    session.once('close', () => this.#sessions.delete(one));
    session.on('stream', (stream) => {
      one.streams++;
      stream.once('close', () => {
        one.streams--;
        if (this.#deadlineMs !== undefined) this.#end(one, this.#deadlineMs);
      });
    });
  }

  #end(one: Session, deadlineMs: number): void {
    const { session, socket } = one;
    session.close();
    if (!one.isEnding) {
      one.isEnding = true;
      // Whoever takes nothing of what it was sent, be it the answer of another route, would hold up the server for good.
      const deadline = setTimeout(() => {
        session.destroy();
        socket?.destroy();
      }, deadlineMs).unref();
      (socket ?? session).once('close', () => clearTimeout(deadline));
    }
    // Node would wait for the client to close its side.
    if (one.streams === 0) socket?.destroySoon();
  }
}

function itself(socket: Socket): unknown {
  return socket;
}

function addressOf({ remoteAddress, remotePort }: Socket): unknown {
  return `${remoteAddress} ${remotePort}`;
}
