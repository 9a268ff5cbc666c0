import { openStream } from '/client.js';
import { Follower } from './follower.js';
import { takeLine } from './lib/lines.js';
import { post, reasonOf, request } from './lib/request.js';
import { $, copyOnClick, describe, say, showState, showStream } from './lib/shell.js';
import { Stream } from './lib/stream.js';

/** How an answer is, and what the reader is told. What is `unfinished` may be asked again. */
const STATES = {
  writing: { tone: 'ok', text: 'The answer is being written.' },
  complete: { tone: 'quiet', text: 'The answer is complete.' },
  stopped: { tone: 'quiet', text: 'Stopped.' },
  waiting: { tone: 'waiting', text: 'Waiting for a connection.' },
  cut: { tone: 'trouble', text: 'Interrupted. What has come stays, and the answer goes on when the server is back.' },
  interrupted: {
    tone: 'trouble',
    text: 'Interrupted: the server was shut down in mid-sentence. What has come stays.',
    isUnfinished: true,
  },
  gone: {
    tone: 'trouble',
    text: 'Interrupted: the server was started anew, and its log with the rest is gone. What has come stays.',
    isUnfinished: true,
  },
  unknown: {
    tone: 'trouble',
    text: 'There is no such answer. The server keeps each for an hour, and loses them when it ends.',
  },
  failed: { tone: 'trouble', text: 'The answer could not be written.', isUnfinished: true },
};

const follower = new Follower($('foot'), $('follow'));
// The answer on the page: { question, text, tokens, state } and, if it can be resumed, { id, lastEventId }.
let answer;
let leave = () => {};
let stop = () => {};

$('ask').addEventListener('submit', (event) => {
  event.preventDefault();
  const form = new FormData(event.target);
  ask(form.get('question').trim(), form.get('mode'));
});
$('again').addEventListener('click', () =>
  ask(answer.question || $('question').value, answer.id ? 'resumable' : 'once'),
);
$('stop').addEventListener('click', () => stop());
copyOnClick($('share'), () => location.href);
addEventListener('popstate', openFromAddress);
openFromAddress();

/** An answer has an address: a reload goes on where this page was, and another device begins at the beginning. */
function openFromAddress() {
  leave();
  const id = new URLSearchParams(location.search).get('answer');
  answer =
    id === null
      ? undefined
      : (kept(id) ?? { id, question: '', text: '', tokens: 0, state: 'writing', lastEventId: id });
  if (answer) show();
  $('empty').hidden = answer !== undefined;
  $('conversation').hidden = answer === undefined;
  if (answer?.state === 'writing') read();
}

function ask(question, mode) {
  leave();
  answer = { question, text: '', tokens: 0, state: 'writing' };
  follower.start();
  show();
  return mode === 'once' ? streamOnce() : streamResumable();
}

/** The answer is written into a topic; this page is one of its readers, and may go and come back. */
async function streamResumable() {
  const asked = answer;
  const { answer: started, problem } = await post('/api/answers', { question: answer.question });
  if (asked !== answer) return;
  if (problem) return become('failed', `Not asked: ${problem}`);
  Object.assign(answer, { id: started.id, lastEventId: started.id });
  history.pushState(null, '', `?answer=${started.id}`);
  read();
}

function read() {
  const stream = new Stream(`/api/answers/${encodeURIComponent(answer.id)}`, {
    lastEventId: answer.lastEventId,
    // Words come thirty times a second: five seconds without say that the server is gone.
    heartbeat: 1_700,
    onState(now) {
      showStream(now);
      if (now.state === 'open') become('writing');
      if (['reconnecting', 'lost', 'silent', 'busy'].includes(now.state)) becomeCut(describe(now).title);
      if (now.state === 'refused') become('unknown');
    },
    on: {
      question({ data }) {
        answer.question = data;
        $('asked').textContent = data;
      },
      token: ({ data, lastEventId }) => add(data, lastEventId),
      done: (event) => finish(event.json().reason),
      'stream.reset': () => finish(answer.text ? 'gone' : 'unknown'),
      'stream.error': () => finish('failed'),
    },
  });
  const finish = (state) => {
    stream.close();
    become(state);
    keep();
  };
  // The server then ends the text with `done`, for every reader. Who only leaves lets it write on.
  stop = async () => {
    const { problem } = await request(`/api/answers/${answer.id}`, { method: 'DELETE' });
    if (problem) say($('progress'), 'trouble', `Not stopped: ${problem}`);
  };
  leave = () => stream.close();
  stream.open();
}

/** The response to the question is the stream: it ends when the page does, and cannot be resumed. */
async function streamOnce() {
  const asked = answer;
  const controller = new AbortController();
  const { signal } = controller;
  leave = stop = () => controller.abort();
  history.pushState(null, '', location.pathname);
  let end = 'interrupted';
  let text;
  try {
    await takeLine(signal, () => become('waiting'));
    showState({ state: 'connecting' });
    const headers = { 'content-type': 'application/json' };
    const body = JSON.stringify({ question: answer.question });
    // A `POST` is sent once: nothing is asked twice, whatever happens to its connection.
    const stream = openStream('/api/answers/once', { headers, body, signal });
    stream.subscribe(({ phase }) => {
      if (phase !== 'open') return;
      showState({ state: 'open' });
      become('writing');
    });
    for await (const event of stream) {
      if (event.type === 'token') add(event.data);
      // An end without it is a cut.
      if (event.type === 'done') end = event.json().reason;
    }
  } catch (error) {
    if (!signal.aborted && answer.text === '') [end, text] = ['failed', `Not asked: ${await whyNot(error)}`];
  }
  if (signal.aborted) end = 'stopped';
  controller.abort();
  if (asked !== answer) return;
  showState({ state: 'ended' });
  become(
    end,
    text ??
      (end === 'interrupted'
        ? 'Interrupted in mid-sentence. What has come stays; a one-shot answer cannot go on.'
        : undefined),
  );
}

/** Why a question was not answered with a stream. */
async function whyNot(error) {
  const { message } = (await error.response?.json().catch(() => {})) ?? {};
  return message ?? reasonOf(error.cause ?? error);
}

function add(token, lastEventId) {
  answer.text += token;
  answer.tokens += 1;
  answer.lastEventId = lastEventId;
  $('answer').append(token);
  speak(token);
  showFacts();
  follower.follow();
  if (lastEventId) keep();
}

/** Tells those who listen: sentence by sentence, for no one can follow words that come thirty a second. */
function speak(token) {
  if (!/[.?!]$/.test(token)) return;
  $('spoken').textContent = /[^.?!]*[.?!]+$/.exec(answer.text)[0];
}

/** The words and the place after them in one write: after a reload they still belong together. */
function keep() {
  sessionStorage.setItem(`answer/${answer.id}`, JSON.stringify(answer));
}

function kept(id) {
  return JSON.parse(sessionStorage.getItem(`answer/${id}`));
}

function become(state, text) {
  answer.state = state;
  show(text);
}

/** Before the first word there is nothing to interrupt. */
function becomeCut(why) {
  if (answer.text) become('cut');
  else become('waiting', why);
}

function show(text = STATES[answer.state].text) {
  const { tone, isUnfinished = false } = STATES[answer.state];
  const isUnknown = answer.state === 'unknown';
  const isUnderWay = ['writing', 'waiting', 'cut'].includes(answer.state);
  $('empty').hidden = true;
  $('conversation').hidden = false;
  $('asked').hidden = answer.question === '';
  $('asked').textContent = answer.question;
  if ($('answer').textContent !== answer.text) $('answer').textContent = answer.text;
  $('answer').dataset.state = answer.state;
  $('stop').disabled = !isUnderWay;
  $('again').hidden = !isUnfinished;
  $('share').hidden = navigator.clipboard === undefined || !answer.id || isUnknown;
  $('answer').hidden = $('facts').hidden = isUnknown;
  say($('progress'), tone, text);
  if (tone === 'trouble' && !isUnderWay) showState({ state: isUnknown ? 'missing' : 'interrupted' });
  if (!isUnderWay) follower.stop();
  showFacts();
}

function showFacts() {
  const place = answer.tokens && answer.lastEventId ? `, the last with the id ${answer.lastEventId}` : '';
  $('facts').textContent = `${answer.tokens} pieces received${place}`;
}
