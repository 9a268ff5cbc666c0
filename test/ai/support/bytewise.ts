/** A `fetch` that hands on each byte by itself, and keeps what was on the wire. */
export class Bytewise implements Disposable {
  /** All bodies, one behind the other. */
  text = '';
  readonly statuses: number[] = [];
  /** After so many bytes of a body its connection is lost. */
  cutAfter = Infinity;
  #leaving = new AbortController();

  readonly fetch = async (url: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
    const signal = AbortSignal.any([this.#leaving.signal, ...(init.signal ? [init.signal] : [])]);
    const response = await fetch(url, { ...init, signal });
    const { status, headers, body } = response;
    this.statuses.push(status);
    return body === null ? response : new Response(this.#split(body.getReader()), { status, headers });
  };

  #split(reader: ReadableStreamDefaultReader<Uint8Array>): ReadableStream<Uint8Array> {
    let left = this.cutAfter;
    let bytes = new Uint8Array();
    const pull = async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
      while (bytes.length === 0) {
        const { value, done } = await reader.read();
        if (done) return controller.close();
        bytes = Uint8Array.from(value);
        this.text += Buffer.from(bytes).toString();
      }
      if (left-- > 0) controller.enqueue(bytes.slice(0, 1));
      else controller.error(new TypeError('terminated'));
      bytes = bytes.subarray(1);
    };
    return new ReadableStream({ pull, cancel: () => reader.cancel() }, { highWaterMark: 0 });
  }

  /** What is open is lost. */
  cut(): void {
    this.#leaving.abort();
    this.#leaving = new AbortController();
  }

  [Symbol.dispose](): void {
    this.cut();
  }
}

/** Tells whether there was a sign of life since now. */
export function beats(wire: Bytewise): () => boolean {
  const from = wire.text.length;
  return () => /^(:|event: ping)$/m.test(wire.text.slice(from));
}
