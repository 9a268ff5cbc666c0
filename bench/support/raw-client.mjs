// A client as light as one can be: a socket, a request, and a look at the lines that come. `fetch` costs several times
// as much for each stream, and would measure itself.
import { connect } from 'node:net';

/**
 * Opens a stream. `onFrame(fields, text)` is called for each frame, `onOver(reason)` once; `reads: false` never reads.
 *
 * Chunk sizes stand on lines of their own between frames, since a chunk has whole frames. They are no field, so they are
 * passed over like any line that is none.
 */
export function openRaw({ port, path, headers = {}, reads = true, onHead, onFrame, onOver }) {
  const socket = connect({ port, host: '127.0.0.1' });
  const client = { socket, status: undefined, lastEventId: headers['last-event-id'] };
  let rest = '';
  socket.setNoDelay(true);
  // Before the connection is there, so that not a single read is made.
  if (!reads) socket.pause();
  else socket.on('data', (bytes) => take(bytes.latin1Slice()));
  let isOver = false;
  const over = (reason) => {
    if (isOver) return;
    isOver = true;
    onOver?.(reason);
  };
  socket.on('error', (error) => over(error.code));
  socket.on('close', () => over('closed'));
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n${lines.join('')}\r\n`);
  return client;

  function take(text) {
    rest += text;
    if (client.status === undefined) {
      const end = rest.indexOf('\r\n\r\n');
      if (end < 0) return;
      client.status = Number(rest.slice(9, 12));
      rest = rest.slice(end + 4);
      onHead?.(client.status);
    }
    let end = rest.indexOf('\n\n');
    for (; end >= 0; end = rest.indexOf('\n\n')) {
      const frame = rest.slice(0, end);
      rest = rest.slice(end + 2);
      const fields = fieldsOf(frame);
      if (fields.id !== undefined) client.lastEventId = fields.id;
      onFrame?.(fields);
    }
    if (rest.endsWith('\r\n0\r\n\r\n') || rest === '0\r\n\r\n') over('ended');
  }
}

function fieldsOf(frame) {
  const fields = {};
  for (const line of frame.split('\n')) {
    const colon = line.indexOf(': ');
    if (colon > 0) fields[line.slice(0, colon)] = line.slice(colon + 2);
  }
  return fields;
}
