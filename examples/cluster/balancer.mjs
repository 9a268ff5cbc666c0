// What nginx.conf does, for machines without nginx: enough to try things out, and no more.
import { Agent, createServer, request as createRequest } from 'node:http';

/** Belong to one connection, not to the message. */
const OWN_HEADERS = ['connection', 'keep-alive', 'transfer-encoding'];

/**
 * Passes requests on to the nodes in turn, and the answers back as they come.
 *
 * @param nodePorts where the nodes are
 * @param runnerPort what begins with /runner/ goes there
 */
export function createBalancer(nodePorts, runnerPort) {
  // Of connections that nobody uses. Below Node's own 5 s: nothing must be sent on one that the node is closing.
  const agent = new Agent({ keepAlive: true, timeout: 4_000 });
  let turn = 0;

  return createServer((request, response) => {
    const isForRunner = request.url.startsWith('/runner/');
    // Those of the page come in pairs: counted, all that are not the runner's would go to one node.
    if (!isForRunner) turn++;
    const ports = isForRunner ? [runnerPort] : nodePorts.map((_, n) => nodePorts[(turn + n) % nodePorts.length]);
    pass(request, response, ports);
  });

  function pass(request, response, [port, ...others]) {
    if (port === undefined) return later(request, response);
    const { method, url, headers } = request;
    const isRetriable = method === 'GET' || method === 'HEAD';
    const forwarded = { ...headers, connection: 'keep-alive', 'x-forwarded-for': request.socket.remoteAddress };
    let wasSent = false;

    const upstream = createRequest({ host: '127.0.0.1', port, method, path: url, headers: forwarded, agent });
    // Not before there is a connection: until then the request can go to another node.
    upstream.once('socket', (socket) => (socket.connecting ? socket.once('connect', send) : send()));
    upstream.once('response', (answer) => {
      const kept = Object.entries(answer.headers).filter(([name]) => !OWN_HEADERS.includes(name));
      response.writeHead(answer.statusCode, Object.fromEntries(kept)).flushHeaders();
      answer.pipe(response);
      // A node that dies in the middle of a stream: the client sees a cut, and comes back.
      answer.once('error', () => response.destroy());
    });
    upstream.once('error', () => {
      if (response.headersSent || response.destroyed) return response.destroy();
      // What was sent may have been done: not to be sent again.
      if (wasSent && !isRetriable) return later(request, response);
      pass(request, response, others);
    });
    response.once('close', () => upstream.destroy());

    function send() {
      wasSent = true;
      if (isRetriable) upstream.end();
      else request.pipe(upstream);
    }
  }
}

/** Nobody is there. An error would end an EventSource for good, so it is told to come back instead. */
function later({ headers }, response) {
  if (headers.accept?.includes('text/event-stream')) {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).end('retry: 1000\n\n');
  } else {
    response.writeHead(503).end();
  }
}
