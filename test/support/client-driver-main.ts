// Lets a contract suite in another language drive `openStream`. It speaks the protocol of LaunchDarkly's sse-contract-tests:
//
//   node --import ./test/support/typescript.mjs test/support/client-driver-main.ts [port]
//   sse-test-harness -url http://localhost:8201 -port 8901 -stop-service-at-end
//
// The port is the argument, else the environment's PORT, else 8201; HOST is where to listen, else everywhere. It says
// `The client listens on <port>` when it does, and ends with the suite's `DELETE /`, SIGINT or SIGTERM.
//
// GET /               what the client can do
// POST /              opens a stream: streamUrl, callbackUrl, tag, initialDelayMs (the wait before each next attempt; 0: none), readTimeoutMs (how
//                     long it may be silent), lastEventId, headers, method, body (which is sent again with each attempt); answers its Location
// POST /streams/N     {"command":"restart"}
// DELETE /streams/N   closes it
// DELETE /            ends this program
//
// Told with POST to <callbackUrl>/1, /2, …: {"kind":"event","event":{"type","data","id"}}, {"kind":"comment","comment"}, and
// {"kind":"error","comment","error"} when it waits for its next attempt, or is over and should not be.
import type { AddressInfo } from 'node:net';
import { ClientDriver } from './client-driver.js';

const driver = new ClientDriver(end);
const server = driver.createServer();
server.listen(Number(process.argv[2] ?? process.env.PORT ?? 8201), process.env.HOST, () => {
  console.log(`The client listens on ${(server.address() as AddressInfo).port}`);
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, end);

function end(): void {
  driver.close();
  server.close();
  server.closeAllConnections();
}
