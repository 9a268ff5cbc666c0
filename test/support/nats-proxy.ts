import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';

const LINE_END = '\r\n';

/** Stands between clients and a NATS server, and lets messages be overtaken by others, as servers before 2.10 do. */
export class NatsProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** The subjects of the messages that have passed. */
  readonly passed: string[] = [];
  #isHeld: (subject: string) => boolean = () => false;
  #held: (() => void)[] = [];

  private constructor(targetPort: number) {
    this.#server = createServer((near) => {
      const far = connect(targetPort, '127.0.0.1');
      near.pipe(far);
      let rest = Buffer.alloc(0);
      far.on('data', (chunk: Buffer) => {
        rest = Buffer.concat([rest, chunk]);
        for (let end = endOf(rest); end !== undefined; end = endOf(rest)) {
          this.#pass(near, rest.subarray(0, end));
          rest = rest.subarray(end);
        }
      });
      for (const socket of [near, far]) {
        this.#sockets.add(socket);
        socket.on('error', () => undefined);
        socket.on('close', () => (near.destroy(), far.destroy()));
      }
    });
  }

  static async start(targetPort: number): Promise<NatsProxy> {
    const proxy = new NatsProxy(targetPort);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** From now on messages of some subjects do not pass. */
  hold(isHeld: (subject: string) => boolean): void {
    this.#isHeld = isHeld;
  }

  /** Lets everything pass, and what was held first. */
  release(): void {
    this.#isHeld = () => false;
    for (const pass of this.#held.splice(0)) pass();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #pass(near: Socket, frame: Buffer): void {
    const subject = subjectOf(frame);
    // Those servers do not tell the time of what they republish, either.
    const bytes = /\.l\./.test(subject ?? '')
      ? Buffer.from(frame.toString('latin1').replace('-Time-', '-None-'), 'latin1')
      : frame;
    if (subject !== undefined && this.#isHeld(subject)) return void this.#held.push(() => near.write(bytes));
    near.write(bytes);
    if (subject !== undefined) this.passed.push(subject);
  }
}

/** Where the first frame ends, if all of it is there: a line, which for messages ends with the size of what follows. */
function endOf(bytes: Buffer): number | undefined {
  const line = bytes.indexOf(LINE_END);
  if (line < 0) return undefined;
  const size = subjectOf(bytes) === undefined ? 0 : Number(bytes.toString('latin1', 0, line).split(' ').at(-1)) + 2;
  const end = line + LINE_END.length + size;
  return end <= bytes.length ? end : undefined;
}

function subjectOf(frame: Buffer): string | undefined {
  return /^H?MSG (\S+) /.exec(frame.toString('latin1', 0, 1_024))?.[1];
}
