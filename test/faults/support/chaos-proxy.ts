import { once } from 'node:events';
import { type AddressInfo, type Server, type Socket, connect, createServer } from 'node:net';
import type { createRandom } from './random.mjs';

type Random = ReturnType<typeof createRandom>;

/** How a connection ends: with a reset, in order, or without anybody being told. */
const ENDS = ['reset', 'fin', 'silence'] as const;

/** Carries bytes for a while, cut anywhere, and then breaks the connection, anywhere in a frame; to be held with `await using`. */
export class ChaosProxy implements AsyncDisposable {
  readonly counts = { reset: 0, fin: 0, silence: 0, bytewise: 0 };
  /** From now on nothing breaks. */
  isCalm = false;
  readonly #server: Server;
  readonly #random: Random;
  readonly #mostBytes: number;
  readonly #sockets = new Set<Socket>();
  #opened = 0;

  private constructor(targetPort: number, random: Random, mostBytes: number) {
    this.#random = random;
    this.#mostBytes = mostBytes;
    this.#server = createServer((near) => {
      const far = connect(targetPort, '127.0.0.1');
      for (const socket of [near, far]) {
        this.#sockets.add(socket);
        socket.on('error', () => undefined);
        socket.on('close', () => {
          this.#sockets.delete(socket);
          near.destroy();
          far.destroy();
        });
      }
      near.pipe(far);
      void this.#carry(far, near);
    });
  }

  /** @param mostBytes how much a connection carries at most */
  static async start(targetPort: number, random: Random, mostBytes: number): Promise<ChaosProxy> {
    const proxy = new ChaosProxy(targetPort, random, mostBytes);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #carry(far: Socket, near: Socket): Promise<void> {
    const n = this.#opened++;
    const end = ENDS[n % ENDS.length]!;
    const isBytewise = n % 5 === 0;
    let rest = this.#random.int(100, this.#mostBytes);
    near.setNoDelay(true);
    try {
      for await (const chunk of far as AsyncIterable<Buffer>) {
        for (const part of isBytewise && !this.isCalm ? pieces(chunk.subarray(0, rest)) : [chunk]) {
          const sent = this.isCalm ? part : part.subarray(0, rest);
          near.write(sent);
          rest -= sent.length;
          if (isBytewise) await new Promise((resolve) => setImmediate(resolve));
        }
        if (rest > 0 || this.isCalm) continue;
        this.counts[end]++;
        if (isBytewise) this.counts.bytewise++;
        if (end === 'reset') near.resetAndDestroy();
        if (end === 'fin') near.end();
        if (end !== 'silence') far.destroy();
        // Who hears nothing leaves, and that ends it.
        else await once(near, 'close');
        return;
      }
      near.end();
    } catch {
      // It was broken from the other side.
      near.destroy();
    }
  }
}

function* pieces(chunk: Buffer): Generator<Buffer> {
  for (const byte of chunk) yield Buffer.of(byte);
}
