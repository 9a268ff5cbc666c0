// The clients of `runs.mjs`: sockets that count what they are given.
import { Buffer } from 'node:buffer';
import { connect } from 'node:net';
import { serve } from './rpc.mjs';

const MARK = Buffer.from('data: {');
const counts = {};
/** Sockets that are being connected at the same time. */
const BATCH = 100;

serve({
  async open(port, path, connections) {
    counts[path] = 0;
    for (let opened = 0; opened < connections; opened += BATCH)
      await Promise.all(Array.from({ length: BATCH }, () => open(port, path)));
  },
  count: (path) => counts[path],
});

function open(port, path) {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.write(`GET /${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n`);
  return new Promise((resolve, reject) => {
    socket.once('data', resolve).once('error', reject);
    socket.on('data', (bytes) => {
      for (let at = bytes.indexOf(MARK); at >= 0; at = bytes.indexOf(MARK, at + 1)) counts[path]++;
    });
  });
}
