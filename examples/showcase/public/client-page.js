import { openStream } from '/client.js';
import * as frames from './client-frames.js';
import * as view from './client-view.js';
import { onWanted, takeLine } from './lib/lines.js';
import { post } from './lib/request.js';
import { $, hideNotice, say, showStream } from './lib/shell.js';

/** Somebody is looking: attempts get no further apart than that, and what the server asks for. */
const MAX_RETRY_MS = 5_000;

// A stream of this visitor's own: nobody else is disturbed.
const visitor = crypto.getRandomValues(new Uint32Array(2)).join('-');
const url = `/api/client/${visitor}`;

let stream;
let token;
let line;
let method;
/** Aborted when it is pulled. */
let plug = new AbortController();

const options = {
  maxRetryInterval: MAX_RETRY_MS,
  /** Asked before each attempt. Behind a 401 there is another one at once, for which it had better bring another token. */
  async headers({ status }) {
    if (!token || status === 401) {
      token = await askFor('/token', { method: 'POST' }).then((answer) => answer.token);
      view.showToken(token);
      view.note('ok', 'token', status === 401 ? 'a fresh one, because of the 401' : 'the first one');
      $('command').textContent = `curl -N ${location.origin}${url} -H 'authorization: Bearer ${token}'`;
    }
    return { authorization: `Bearer ${token}` };
  },
  /** Asked at the start, and whenever events are missing: the state, with its place in the stream. */
  async snapshot({ reason }, signal) {
    const state = await askFor('/state', { signal });
    view.startAt(state.n);
    view.note('ok', 'snapshot', reason === 'start' ? 'to begin with' : `after stream.reset: ${reason}`);
    return { lastEventId: state.lastEventId };
  },
  /** A network that can be unplugged. */
  fetch(target, init) {
    if (plug.signal.aborted) return Promise.reject(new TypeError('This page is offline'));
    return fetch(target, { ...init, signal: AbortSignal.any([init.signal, plug.signal]) });
  },
  debug(frame) {
    if (frame.kind !== 'state') frames.add(frame);
    // Nobody is called while a page is frozen or left, but for this.
    else if (frame.state.reason === 'page') view.show(frame.state);
  },
};

/** Opens the stream where the last one was. Only what is over is opened again. */
async function open() {
  const lastEventId = stream?.lastEventId;
  const own = (line = new AbortController());
  await takeLine(own.signal, () => showStream({ state: 'waiting' }));
  hideNotice();
  stream = openStream(url, { ...options, method, lastEventId });
  stream.on('number', (event) => view.take(event.json(), event.lastEventId));
  stream.subscribe(view.show);
  stream.closed.then(() => own.abort());
}

async function askFor(path, init) {
  const response = await options.fetch(url + path, { signal: line.signal, ...init });
  if (!response.ok) throw new Error(`${path} was answered ${response.status}`);
  return response.json();
}

/** What the buttons do, and what is told of it. */
const DOES = {
  cut: () => disturb('cut', 'The server has destroyed the socket.'),
  silence: () =>
    disturb('silence', 'The server says nothing any more. It has promised to, once a second: wait for three.'),
  shutdown: () => disturb('shutdown', 'The server has said that it shuts down, and to come back.'),
  fail: () => disturb('fail', 'The server has said stream.error: that is a failure, and it may pass.'),
  trim: () => disturb('trim', 'The server has cut the stream, and published more than its log keeps.'),
  complete: () => disturb('complete', 'The server has said that there is nothing more.'),
  expire: () => disturb('expire', 'The token is not good any more. The answer to it is 401.'),
  busy: () => disturb('busy', 'The next attempt is answered 503, with Retry-After: 2.'),
  forbid: () => disturb('forbid', 'The next attempt is answered 403.'),
  async fill() {
    await disturb('lifetime', 'The server has ended it.');
    const others = new AbortController();
    const init = { headers: { authorization: `Bearer ${token}` }, signal: others.signal };
    await Promise.all([1, 2].map(() => fetch(url, init)));
    say($('told'), 'quiet', 'Two others have the places of this visitor, until it has been refused once.');
    stream.subscribe(({ phase }) => ['open', 'closed'].includes(phase) && others.abort());
  },
  offline(button) {
    const isOffline = toggle(button);
    if (isOffline) plug.abort();
    else plug = new AbortController();
    // The browser says so, too, when a network is there again; then nobody waits any longer.
    if (!isOffline) dispatchEvent(new Event('online'));
    const text = isOffline
      ? 'No request gets through: each attempt waits longer. Press it again. For real: DevTools, Network, Offline.'
      : 'The network is there again.';
    say($('told'), 'quiet', text);
  },
  freeze(button) {
    const isFrozen = toggle(button);
    document.dispatchEvent(new Event(isFrozen ? 'freeze' : 'resume'));
    const text = isFrozen
      ? 'It has let go, as when the browser freezes the tab. Press it again. For real: chrome://discards.'
      : 'The page is there again, and goes on where it was.';
    say($('told'), 'quiet', text);
  },
  reconnect() {
    stream.reconnect();
    say($('told'), 'quiet', 'Opens it anew at its place; while it waits, ends the wait.');
  },
  post(button) {
    method = toggle(button) ? 'POST' : 'GET';
    stream.close();
    open();
    const text =
      method === 'POST'
        ? 'Asked by POST, once. The answer says where it goes on: cut it, and see it go on there, by GET.'
        : 'Asked by GET again.';
    say($('told'), 'quiet', text);
  },
  close() {
    if (stream.state.phase === 'closed') {
      say($('told'), 'quiet', 'A new stream goes on where the last one was.');
      return open();
    }
    say($('told'), 'quiet', 'Closed by the page. What is over stays over: open another one.');
    stream.close();
  },
};

async function disturb(how, text) {
  const { problem } = await post(`${url}/disturb`, { how });
  say($('told'), problem ? 'trouble' : 'quiet', problem ? `Not done. ${problem}` : text);
}

/** Whether the button is pressed now. */
function toggle(button) {
  const isPressed = button.getAttribute('aria-pressed') !== 'true';
  button.setAttribute('aria-pressed', isPressed);
  return isPressed;
}

for (const button of document.querySelectorAll('[data-do]')) {
  const what = button.dataset.do;
  button.addEventListener('click', () => {
    if (!stream) return;
    const isOver = stream.state.phase === 'closed' && !['close', 'post'].includes(what);
    if (isOver) say($('told'), 'waiting', 'The stream is closed: open it again first.');
    else DOES[what](button);
  });
}
open();
// Another tab needs the line while nobody sees this one.
onWanted(() => {
  if (stream?.state.phase === 'closed') return;
  stream?.close();
  document.addEventListener('visibilitychange', open, { once: true });
});
