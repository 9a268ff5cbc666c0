import { follow, framesOf, parseFrame, postJson, showState } from './shell.js';

const $ = (id) => document.getElementById(id);
const STORE = 'answer';
const PROGRESS = {
  writing: 'The answer is being written.',
  complete: 'The answer is complete.',
  stopped: 'Stopped.',
  lost: 'The server no longer has this answer.',
};

// The answer on the page: { question, text, tokens, state } and, if it can be resumed, { id, lastEventId }.
let answer = JSON.parse(sessionStorage.getItem(STORE) ?? 'null');
let leave = () => {};

$('ask').addEventListener('submit', (event) => {
  event.preventDefault();
  leave();
  sessionStorage.removeItem(STORE);
  const form = new FormData(event.target);
  answer = { question: form.get('question').trim(), text: '', tokens: 0, state: 'writing' };
  show();
  const start = form.get('mode') === 'once' ? streamOnce : streamResumable;
  start().catch(fail);
});
$('stop').addEventListener('click', () => leave(true));

if (answer) {
  show();
  if (answer.state === 'writing') read();
}

/** The answer is written into a topic; this page is one of its readers, and may go and come back. */
async function streamResumable() {
  const response = await postJson('/api/answers', { question: answer.question });
  if (!response.ok) throw new Error((await response.json()).message);
  Object.assign(answer, await response.json());
  read();
}

function read() {
  const source = new EventSource(`/api/answers/${answer.id}?lastEventId=${encodeURIComponent(answer.lastEventId)}`);
  follow(source);
  leave = (stop) => {
    // The server then ends the text with `done`, for every reader. Without `stop` it writes on.
    if (stop) void fetch(`/api/answers/${answer.id}`, { method: 'DELETE' });
    else source.close();
  };
  const finish = (state) => {
    source.close();
    end(state);
  };
  source.addEventListener('token', (event) => add(event.data, event.lastEventId));
  source.addEventListener('done', (event) => finish(JSON.parse(event.data).reason));
  source.addEventListener('stream.reset', () => finish('lost'));
  source.addEventListener('stream.error', () => finish('lost'));
  source.addEventListener('error', () => {
    if (source.readyState === EventSource.CLOSED) finish('lost');
  });
}

/** The response to the question is the stream: it ends when the page does. */
async function streamOnce() {
  const controller = new AbortController();
  leave = () => controller.abort();
  showState(EventSource.CONNECTING);
  try {
    const response = await fetch('/api/answers/once', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ question: answer.question }),
      signal: controller.signal,
    });
    if (!response.ok) throw new Error((await response.json()).message);
    showState(EventSource.OPEN);
    for await (const frame of framesOf(response)) {
      const { event, data } = parseFrame(frame);
      if (event === 'token') add(data);
    }
    end('complete');
  } catch (error) {
    if (!controller.signal.aborted) throw error;
    end('stopped');
  }
}

function add(token, lastEventId) {
  answer.text += token;
  answer.tokens += 1;
  answer.lastEventId = lastEventId;
  $('answer').append(token);
  showFacts();
  // The words and the place after them in one write: after a reload they still belong together.
  if (lastEventId) sessionStorage.setItem(STORE, JSON.stringify(answer));
}

function end(state) {
  answer.state = state;
  // Not `lost`: a page that is being left hears its stream fail, and is to go on when it comes back.
  if (answer.id && state !== 'lost') sessionStorage.setItem(STORE, JSON.stringify(answer));
  show();
}

function fail(error) {
  answer.state = 'failed';
  show();
  $('progress').textContent = error.message;
}

function show() {
  const writing = answer.state === 'writing';
  $('empty').hidden = true;
  $('conversation').hidden = false;
  $('asked').textContent = answer.question;
  $('answer').textContent = answer.text;
  $('answer').setAttribute('aria-busy', String(writing));
  $('stop').disabled = !writing;
  $('progress').textContent = PROGRESS[answer.state] ?? '';
  if (!writing) showState(EventSource.CLOSED);
  showFacts();
}

function showFacts() {
  const place = answer.lastEventId ? `, the last with the id ${answer.lastEventId}` : '';
  $('facts').textContent = `${answer.tokens} pieces received${place}`;
}
