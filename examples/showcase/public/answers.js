import { Conversation } from './chat/conversation.js';
import { Follower } from './chat/follower.js';
import { Thread } from './chat/thread.js';
import { addFrame, clearFrames, showRun } from './chat/wire.js';
import { AnswerReading, WIRES } from './lib/answer.js';
import { $, say, showStream } from './lib/shell.js';

const WIRE_NOTES = {
  plain: 'Each part has an id: a reader that was cut off goes on behind it. The end is an event, and says why.',
  'ai-sdk':
    'As useChat() of the AI SDK reads it. A stop is a part, a failure another one; who comes back has it whole.',
  openai: 'Chunks of Chat Completions, made of the same run by map(). [DONE] is the end, and nothing else is.',
};

const follower = new Follower($('thread'), $('ask'), $('follow'));
const thread = new Thread($('thread'), { onAgain: ({ runId, text }) => ask(text, { replaces: runId }) });
let conversation;
/** How the last answer is read, and of which run it is. */
let reading;
let readRun;
let isAsking = false;

openFromAddress();
addEventListener('popstate', openFromAddress);
showWire();

/** A conversation has an address, before the first question, too: another window is there from the beginning. */
function openFromAddress() {
  const url = new URL(location.href);
  const id = url.searchParams.get('chat') ?? newId();
  url.searchParams.set('chat', id);
  history.replaceState(null, '', url);
  conversation?.close();
  leaveAnswer();
  readRun = undefined;
  thread.clear();
  clearFrames();
  say($('told'), 'quiet', '');
  follower.start();
  conversation = new Conversation(encodeURIComponent(id), { onChange: show, onStream: showStream });
  show(conversation);
}

function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(6)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function go(href) {
  history.pushState(null, '', href);
  openFromAddress();
  for (const panel of document.querySelectorAll(':popover-open')) panel.hidePopover();
  $('question').focus({ preventScroll: true });
}

function show(now) {
  if (now !== conversation) return;
  const exchanges = [...now.exchanges.values()];
  const isEmpty = exchanges.length === 0;
  $('loading').hidden = now.isLoaded || !isEmpty;
  $('start').hidden = !now.isLoaded || !isEmpty;
  thread.show(exchanges);
  for (const { runId, answer } of exchanges) if (answer) thread.update(runId, answer);
  const title = exchanges[0]?.text ?? 'New conversation';
  $('title').textContent = title;
  document.title = `${isEmpty ? 'Answers' : title} · nestjs-event-stream`;
  $('model').textContent = now.model || '–';
  showChats(now);
  const { last } = now;
  if (last && !last.answer && last.runId !== readRun) read(last);
  // Who does not read it now is told how it has ended.
  if (last?.answer && ['waiting', 'cut'].includes(reading?.state)) leaveAnswer();
  showRunning();
  follower.follow();
}

function showChats({ chats, id }) {
  $('no-chats').hidden = chats.length > 0;
  const items = chats.map((chat) => {
    const link = Object.assign(document.createElement('a'), { href: `?chat=${chat.id}`, textContent: chat.title });
    if (chat.id === id) link.setAttribute('aria-current', 'page');
    const item = document.createElement('li');
    item.append(link);
    return item;
  });
  $('chats').replaceChildren(...items);
}

/** Reads an answer from its beginning: it may be one that another window has asked for, or this one before it was loaded anew. */
function read(exchange) {
  const text = readRun === exchange.runId ? reading?.text : '';
  leaveAnswer();
  clearFrames();
  readRun = exchange.runId;
  const options = { onFrame: addFrame, onChange: showReading, text };
  reading = new AnswerReading(conversation.pathOf(exchange), wire(), options);
  showReading(reading);
}

function leaveAnswer() {
  reading?.close();
  reading = undefined;
}

function showReading(now) {
  if (reading !== now) return;
  // What its conversation says of it holds: it knows more than a wire may tell.
  thread.update(readRun, conversation.exchanges.get(readRun)?.answer ?? now);
  showRunning();
  follower.follow();
}

function showRunning() {
  const { last } = conversation;
  const isRunning = last !== undefined && !last.answer && !(readRun === last.runId && reading?.isOver);
  $('ask').toggleAttribute('data-running', isRunning);
  $('stop').hidden = !isRunning;
  $('send').hidden = isRunning;
  $('send').disabled = isAsking || !conversation.isLoaded;
  if (!isRunning && $('told').dataset.about === 'running') tell('quiet', '');
  showRun(last, reading);
  const path = last ? conversation.pathOf(last) + WIRES[wire()].path : '/api/chats/…';
  $('command').textContent = `curl -N ${location.origin}${path}`;
}

async function ask(text, { replaces, fail } = {}) {
  if (isAsking) return;
  isAsking = true;
  const asked = conversation;
  tell('quiet', '');
  showRunning();
  follower.start();
  const { problem, status } = await asked.ask(text, { replaces, fail });
  isAsking = false;
  if (asked !== conversation) return;
  if (status === 409) tell('waiting', 'Another window has just asked: your question waits here.');
  else if (problem) tell('trouble', `Not asked. ${problem}`);
  else if (!replaces && $('question').value.trim() === text) clearQuestion();
  showRunning();
}

function clearQuestion() {
  $('question').value = '';
  $('fail').checked = false;
  fit();
}

async function stop() {
  const { last } = conversation;
  if ($('stop').hidden || !last) return;
  $('stop').disabled = true;
  const { problem } = await conversation.stop(last);
  $('stop').disabled = false;
  if (problem) tell('trouble', `Not stopped. ${problem}`);
  else $('question').focus({ preventScroll: true });
}

function tell(tone, text, about = '') {
  $('told').dataset.about = about;
  say($('told'), tone, text);
}

function wire() {
  return $('wires').querySelector(':checked').value;
}

function showWire() {
  $('wire-note').textContent = WIRE_NOTES[wire()];
  showRunning();
}

/** The box is as high as what is in it. */
function fit() {
  $('question').style.height = 'auto';
  $('question').style.height = `${Math.min($('question').scrollHeight + 2, 200)}px`;
}

$('ask').addEventListener('submit', (event) => {
  event.preventDefault();
  const text = $('question').value.trim();
  if (text === '') return $('question').focus();
  if ($('send').hidden) return tell('waiting', 'One answer at a time. Esc stops this one.', 'running');
  ask(text, { fail: $('fail').checked });
});
$('question').addEventListener('input', fit);
$('question').addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $('ask').requestSubmit();
});
addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && !document.querySelector(':popover-open')) stop();
});
$('stop').addEventListener('click', stop);
$('ideas').addEventListener(
  'click',
  ({ target }) => target.matches('button') && ask(target.textContent, { fail: $('fail').checked }),
);
$('second').addEventListener('click', () => open(location.href, '', 'popup,width=760,height=820'));
for (const id of ['new', 'chats']) {
  $(id).addEventListener('click', (event) => {
    const { href } = event.target.closest('a') ?? {};
    if (!href || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    go(href);
  });
}
$('wires').addEventListener('change', () => {
  showWire();
  // What is being read goes on in the other protocol.
  if (conversation.last) read(conversation.last);
});
$('replay').addEventListener('click', () => read(conversation.last));
