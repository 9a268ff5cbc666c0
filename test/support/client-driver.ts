import { Agent, type IncomingMessage, type Server, type ServerResponse, createServer, request } from 'node:http';
import { type DebugFrame, type Received, type Stream, openStream } from 'nestjs-event-stream/client';

/** What the suite may ask for. */
const CAPABILITIES = [
  'comments',
  'headers',
  'last-event-id',
  'post',
  'report',
  'read-timeout',
  'restart',
  'bom',
  'server-directed-shutdown-request',
];

/** What opens a stream: the protocol of LaunchDarkly's sse-contract-tests, `docs/service_spec.md`. `null` is as good as nothing. */
interface Opening {
  readonly streamUrl: string;
  readonly callbackUrl: string;
  readonly tag?: string | null;
  readonly initialDelayMs?: number | null;
  readonly readTimeoutMs?: number | null;
  readonly lastEventId?: string | null;
  readonly headers?: Record<string, string> | null;
  readonly method?: string | null;
  readonly body?: string | null;
}

/** What is told of a stream, in its order. */
type Told =
  | { readonly kind: 'event'; readonly event: { readonly type: string; readonly data: string; readonly id: string } }
  | { readonly kind: 'comment'; readonly comment: string }
  // The protocol's text has `comment`, its harness reads `error`.
  | { readonly kind: 'error'; readonly comment: string; readonly error: string };

/** Drives `openStream` for a suite of another language. */
export class ClientDriver {
  readonly #streams = new Map<string, Stream>();
  readonly #agent = new Agent({ keepAlive: true });
  readonly #onEnd: () => void;
  #opened = 0;

  /** @param onEnd the suite has no more to ask for */
  constructor(onEnd: () => void) {
    this.#onEnd = onEnd;
  }

  createServer(): Server {
    return createServer((asked, response) => {
      this.#answer(asked, response).catch((error: unknown) => {
        response.writeHead(400, { 'content-type': 'text/plain' }).end(String(error));
      });
    });
  }

  /** Ends all streams. */
  close(): void {
    for (const stream of this.#streams.values()) stream.close();
    this.#streams.clear();
    this.#agent.destroy();
  }

  async #answer(asked: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await textOf(asked);
    const { method, url: path = '/' } = asked;
    const stream = this.#streams.get(path);
    if (path === '/' && method === 'GET')
      return json(response, { name: 'nestjs-event-stream', capabilities: CAPABILITIES });
    if (path === '/' && method === 'POST') {
      const location = this.#open(JSON.parse(body) as Opening);
      return void response.writeHead(201, { location }).end();
    }
    if (path === '/' && method === 'DELETE') {
      // Nothing may be left that keeps a server from closing.
      response.shouldKeepAlive = false;
      return void response.writeHead(204).end(() => this.#onEnd());
    }
    if (!stream) return void response.writeHead(404).end();
    if (method === 'DELETE') {
      stream.close();
      this.#streams.delete(path);
      return void response.writeHead(204).end();
    }
    const { command } = JSON.parse(body) as { readonly command?: string };
    if (method !== 'POST' || command !== 'restart') throw new Error(`There is no command ${command}`);
    stream.reconnect();
    response.writeHead(202).end();
  }

  #open({
    streamUrl,
    callbackUrl,
    initialDelayMs,
    readTimeoutMs,
    lastEventId,
    headers,
    method,
    body,
  }: Opening): string {
    if (!streamUrl || !URL.canParse(callbackUrl)) throw new Error('streamUrl and callbackUrl are required');
    const tell = this.#teller(callbackUrl);
    const stream = openStream(streamUrl, {
      ...(initialDelayMs != null && { retryInterval: initialDelayMs, maxRetryInterval: initialDelayMs }),
      ...(readTimeoutMs != null && { heartbeat: beatOf(readTimeoutMs) }),
      ...(lastEventId != null && { lastEventId }),
      ...(headers != null && { headers }),
      ...(method != null && { method }),
      ...(body != null && { body, reconnect: true }),
      debug: (frame) => tellFrame(frame, tell),
    });
    // `*` leaves out the two that say something of the stream itself, which to a suite are types as any other.
    for (const type of ['*', 'stream.end', 'stream.error'] as const) {
      stream.on(type, (event) => {
        const { type: name, text, lastEventId: id } = event as Received<string, unknown>;
        tell({ kind: 'event', event: { type: name, data: text, id } });
      });
    }
    const path = `/streams/${++this.#opened}`;
    this.#streams.set(path, stream);
    return path;
  }

  /** Tells one after the other: `<callbackUrl>/1`, `/2`, … */
  #teller(callbackUrl: string): (told: Told) => void {
    let told = 0;
    let last: Promise<void> = Promise.resolve();
    return (what) => {
      const url = `${callbackUrl.replace(/\/$/, '')}/${++told}`;
      // A suite that does not listen any more has seen enough.
      last = last.then(() => this.#post(url, what)).catch(() => undefined);
    };
  }

  #post(url: string, what: Told): Promise<void> {
    return new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/json' };
      const posting = request(url, { method: 'POST', agent: this.#agent, headers }, (response) => {
        response.resume().on('end', resolve).on('error', reject);
      });
      posting.on('error', reject).end(JSON.stringify(what));
    });
  }
}

function tellFrame(frame: DebugFrame, tell: (told: Told) => void): void {
  if (frame.kind === 'comment') tell({ kind: 'comment', comment: frame.text });
  if (frame.kind !== 'state') return;
  const { state } = frame;
  const error = 'error' in state ? state.error : undefined;
  const isError = state.phase === 'waiting' || (state.phase === 'closed' && error !== undefined);
  if (!isError) return;
  const text = `${state.reason}${error instanceof Error ? `: ${error.message}` : ''}`;
  tell({ kind: 'error', comment: text, error: text });
}

/** The beat whose silence is that long: two beats, and one more of at most 5 s. */
function beatOf(readTimeoutMs: number): number {
  return readTimeoutMs <= 15_000 ? readTimeoutMs / 3 : (readTimeoutMs - 5_000) / 2;
}

async function textOf(asked: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of asked.setEncoding('utf8')) text += chunk as string;
  return text;
}

function json(response: ServerResponse, body: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
