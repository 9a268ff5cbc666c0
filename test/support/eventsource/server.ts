import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Serves what the cases ask for, on two origins. To be held with `await using`. */
export class CasesServer {
  readonly #servers: readonly Server[];
  readonly #seen = new Map<string, string[]>();

  private constructor(readonly page: string) {
    const handle = (request: IncomingMessage, response: ServerResponse): void => this.#handle(request, response);
    this.#servers = [createServer(handle), createServer(handle)];
  }

  /** @param page the HTML of `/page`, and of `/` */
  static async start(page = ''): Promise<CasesServer> {
    const server = new CasesServer(page);
    await Promise.all(
      server.#servers.map((each) => new Promise<void>((resolve) => each.listen(0, '127.0.0.1', resolve))),
    );
    return server;
  }

  get near(): string {
    return this.#originOf(0);
  }

  get far(): string {
    return this.#originOf(1);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }

  #originOf(at: number): string {
    return `http://127.0.0.1:${(this.#servers[at]!.address() as AddressInfo).port}`;
  }

  #handle(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams: query } = new URL(request.url!, 'http://host');
    const key = query.get('key') ?? '';
    // Those who ask what has come are not counted themselves.
    const requests = this.#seen.get(key) ?? [];
    if (pathname !== '/seen') this.#seen.set(key, [...requests, request.method!]);
    const handlers: Readonly<Record<string, (given: Given) => void>> = {
      ...HANDLERS,
      '/page': () => response.writeHead(200, PAGE_HEAD).end(this.page),
      '/seen': () => response.writeHead(200, { 'access-control-allow-origin': '*' }).end(JSON.stringify(requests)),
    };
    const handler = handlers[pathname];
    if (!handler) return void response.writeHead(404).end();
    handler({ request, response, query, nth: requests.length + 1 });
  }
}

interface Given {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly query: URLSearchParams;
  /** The how many-th request of its key it is. */
  readonly nth: number;
}

const PAGE_HEAD = { 'content-type': 'text/html', 'set-cookie': 'who=alice; Path=/' };
const TYPE = { 'content-type': 'text/event-stream' };

const HANDLERS: Readonly<Record<string, (given: Given) => void>> = {
  /** `message`, as `mime`, with `newline` behind it, which ends after `sleep` ms. */
  '/message': ({ response, query }) => {
    const mime = query.get('mime') ?? 'text/event-stream';
    response.writeHead(200, mime ? { 'content-type': mime } : {});
    response.write((query.get('message') ?? 'data: data') + (query.get('newline') ?? '\n\n'));
    const sleepMs = query.get('sleep');
    if (sleepMs === null) response.end();
    else setTimeout(() => response.end(), Number(sleepMs)).unref();
  },
  /** The bytes of `hex`, one chunk for each part between commas. */
  '/bytes': ({ response, query }) => void writeParts(response, (query.get('hex') ?? '').split(',')),
  '/status-error': ({ response, query }) => {
    response.writeHead(Number(query.get('status')), TYPE).end('data: not for you\n\n');
  },
  /** A stream that ends, then `status`, then a stream again. */
  '/status-reconnect': ({ response, query, nth }) => {
    if (nth === 2) return void response.writeHead(Number(query.get('status')), TYPE).end('data: second\n\n');
    response.writeHead(200, TYPE).end(`retry: 10\ndata: ${nth}\n\n`);
  },
  /** A stream that ends, then `fail` times no answer at all, then a stream, then 204. */
  '/reconnect-fail': ({ request, response, query, nth }) => {
    const fails = Number(query.get('fail') ?? 0);
    if (nth > 1 && nth <= 1 + fails) return void request.socket.destroy();
    if (nth > 2 + fails) return void response.writeHead(204).end();
    // On a connection that was used before, browsers would ask once more themselves.
    response.writeHead(200, { ...TYPE, connection: 'close' }).end(`retry: 10\ndata: ${nth}\n\n`);
  },
  /** Answers with the position that it was asked for, and gives the `id`s in their turn. */
  '/last-event-id': ({ request, response, query, nth }) => {
    for (const [name, value] of Object.entries(corsOf(request))) response.setHeader(name, value);
    response.setHeader('access-control-allow-headers', 'last-event-id');
    if (request.method === 'OPTIONS') return void response.writeHead(204).end();
    const header = request.headers['last-event-id'] as string | undefined;
    const id = query.getAll('id')[nth - 1];
    const asked = header === undefined ? 'none' : Buffer.from(header, 'latin1').toString('utf8');
    response.writeHead(200, TYPE).end(`retry: 10\n${id === undefined ? '' : `id: ${id}\n`}data: ${asked}\n\n`);
  },
  '/accept': ({ request, response }) => echo(response, request.headers.accept),
  '/cache-control': ({ request, response }) => echo(response, request.headers['cache-control']),
  /** What `run` does, for the `origin` that may read it. */
  '/cors': (given) => {
    const { request, response, query } = given;
    const origin = query.get('origin');
    for (const [name, value] of Object.entries(corsOf(request, origin))) response.setHeader(name, value);
    if (request.method === 'OPTIONS') {
      const asked = request.headers['access-control-request-headers'];
      return void response.writeHead(204, asked ? { 'access-control-allow-headers': asked } : {}).end();
    }
    const name = query.get('name');
    if (name !== null) return echo(response, request.headers[name]);
    HANDLERS[`/${query.get('run') ?? 'message'}`]!(given);
  },
  '/cors-cookie': ({ request, response }) => {
    for (const [name, value] of Object.entries(corsOf(request))) response.setHeader(name, value);
    echo(response, request.headers.cookie);
  },
  '/redirect': ({ response, query }) => {
    response.writeHead(Number(query.get('status') ?? 302), { location: query.get('location')! }).end();
  },
};

function echo(response: ServerResponse, value: string | string[] | undefined): void {
  response.writeHead(200, TYPE).end(`retry: 10\ndata: ${String(value)}\n\n`);
}

function corsOf(request: IncomingMessage, origin?: string | null): Record<string, string> {
  const allowed = origin ?? request.headers.origin;
  return {
    ...(allowed !== undefined && { 'access-control-allow-origin': allowed }),
    ...(allowed !== '*' && { 'access-control-allow-credentials': 'true' }),
  };
}

async function writeParts(response: ServerResponse, parts: readonly string[]): Promise<void> {
  response.writeHead(200, TYPE);
  for (const part of parts) await new Promise((resolve) => response.write(Buffer.from(part, 'hex'), resolve));
  response.end();
}
