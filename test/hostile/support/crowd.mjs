// A worker thread with thousands of clients over bare sockets that all come back at once, each with the id of the last
// event that it has seen, and that each note what they are given up to the last event.
import { connect } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';

const { port, path, ids, clients, deadlineMs } = workerData;
const startedAt = performance.now();
const report = { exact: 0, resets: 0, wrong: [], errors: {}, slowestMs: 0 };
const last = ids.length - 1;
const sockets = [];
let left = clients;

for (let n = 0; n < clients; n++) open(n % ids.length);
const timer = setTimeout(finish, deadlineMs);

function open(seen) {
  const socket = connect({ port, host: '127.0.0.1' });
  sockets.push(socket);
  let text = '';
  let isDone = false;
  // HTTP/1.0, so that no chunk framing stands between the lines.
  socket.write(`GET ${path} HTTP/1.0\r\nHost: x\r\nLast-Event-ID: ${ids[seen]}\r\n\r\n`);
  socket.setEncoding('latin1').on('data', (chunk) => {
    text += chunk;
    if (isDone || (seen !== last && !text.includes(`data: ${last}\n\n`)) || !text.includes('\n\n')) return;
    isDone = true;
    note(seen, text);
  });
  socket.on('error', ({ code }) => (report.errors[code] = (report.errors[code] ?? 0) + 1));
}

function note(seen, text) {
  const got = [...text.matchAll(/^data: (\d+)$/gm)].map(([, n]) => Number(n));
  const isExact = got.length === last - seen && got.every((n, index) => n === seen + 1 + index);
  if (text.includes('stream.reset')) report.resets++;
  if (isExact) report.exact++;
  else if (report.wrong.length < 5) report.wrong.push({ seen, got: got.slice(0, 5), count: got.length });
  report.slowestMs = performance.now() - startedAt;
  if (--left === 0) finish();
}

function finish() {
  clearTimeout(timer);
  parentPort.postMessage(report);
  parentPort.once('message', () => {
    for (const socket of sockets) socket.destroy();
    parentPort.close();
  });
}
