import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';

/** Stands between a client and a server, and does what networks do: cuts connections, or swallows what they carry. */
export class TcpProxy {
  readonly #server: Server;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  #isBlackHole = false;
  #isRefusing = false;
  #isMute = false;
  #latencyMs = 0;
  #answer: (() => Buffer | undefined) | undefined;
  #targetPort: number;

  private constructor(targetPort: number) {
    this.#targetPort = targetPort;
    this.#server = createServer((near) => {
      if (this.#isRefusing) return void near.destroy();
      const answer = this.#answer?.();
      if (answer !== undefined) return void answerOnce(near, answer);
      const far = connect(this.#targetPort, '127.0.0.1');
      const pair = [near, far] as const;
      this.#pairs.add(pair);
      near.on('data', (chunk) => this.#isBlackHole || this.#carry(far, chunk));
      far.on('data', (chunk) => this.#isBlackHole || this.#isMute || this.#carry(near, chunk));
      for (const socket of pair) {
        socket.on('error', () => undefined);
        socket.on('close', () => {
          this.#pairs.delete(pair);
          near.destroy();
          far.destroy();
        });
      }
    });
  }

  static async start(targetPort: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(targetPort);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** How many connections are open through it. */
  get count(): number {
    return this.#pairs.size;
  }

  /** From now on new connections go to another server, as when a name stands for another address. */
  retarget(port: number): void {
    this.#targetPort = port;
  }

  /** Ends every connection with a reset. */
  cut(): void {
    for (const [near, far] of this.#pairs) {
      near.resetAndDestroy();
      far.destroy();
    }
  }

  /** Answers in place of the server, once on each connection and before it ends it, when this has an answer. */
  answer(answer: () => Buffer | undefined): void {
    this.#answer = answer;
  }

  /** From now on nothing passes, on open connections and new ones, and nobody is told. What came in between is gone. */
  swallow(isBlackHole: boolean): void {
    this.#isBlackHole = isBlackHole;
  }

  /** From now on what the server says is lost, and what it is told is not. */
  mute(isMute: boolean): void {
    this.#isMute = isMute;
  }

  /** From now on what is carried takes so long, in ms, each way. */
  slow(latencyMs: number): void {
    this.#latencyMs = latencyMs;
  }

  /** From now on new connections are closed at once. */
  refuse(isRefusing: boolean): void {
    this.#isRefusing = isRefusing;
  }

  #carry(to: Socket, chunk: Buffer): void {
    if (this.#latencyMs === 0) to.write(chunk);
    else setTimeout(() => to.write(chunk), this.#latencyMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    this.#server.close();
    if (this.#server.listening) await once(this.#server, 'close');
  }
}

function answerOnce(socket: Socket, answer: Buffer): void {
  socket.on('error', () => undefined);
  socket.once('data', () => socket.end(answer));
}
