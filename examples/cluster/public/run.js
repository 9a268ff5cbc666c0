// An answer that one node writes and another one streams to this page, and what becomes of it when its node dies.
import { Conversation } from './chat/conversation.js';
import { AnswerReading } from './lib/answer.js';
import { Markdown } from './lib/markdown.js';
import { request } from './lib/request.js';
import { $, say } from './lib/shell.js';

const QUESTION = 'How does an answer survive a reload?';
/** So often a connection is opened anew that has come to the node that writes. */
const MAX_HOPS = 4;

const TONES = {
  asked: 'waiting',
  writing: 'ok',
  waiting: 'waiting',
  cut: 'waiting',
  completed: 'ok',
  stopped: 'quiet',
};

const markdown = new Markdown($('text'));
const conversation = new Conversation(chatOfAddress(), { onChange: show, onStream: () => {} });
let reading;
let readRun;
let reader = '';
let hops = 0;
let killedAt;
let why;

/** The conversation has an address, so that it is there when the page is loaded anew. */
function chatOfAddress() {
  const url = new URL(location.href);
  const id = url.searchParams.get('chat') ?? Math.random().toString(36).slice(2, 12);
  url.searchParams.set('chat', id);
  history.replaceState(null, '', url);
  return encodeURIComponent(id);
}

function show() {
  const { last } = conversation;
  $('ask').disabled = !conversation.isLoaded;
  if (!last) return;
  if (last.runId !== readRun) read(last);
  showAnswer();
}

function read(asked) {
  reading?.close();
  [readRun, reader, hops, killedAt, why] = [asked.runId, '', 0, undefined, undefined];
  reading = new AnswerReading(conversation.pathOf(asked), 'plain', { onChange: showAnswer, onResponse: hear });
}

/** Any node streams any answer. This page wants another one than the one that writes. */
function hear({ headers }) {
  reader = headers.get('x-node') ?? reader;
  const isAtOwner = reader === conversation.last.node;
  if (isAtOwner && killedAt === undefined && hops++ < MAX_HOPS) queueMicrotask(reading.reopen);
}

function showAnswer() {
  const { last } = conversation;
  if (last?.runId !== readRun) return;
  const { state, text } = last.answer ?? reading;
  const isRunning = !last.answer && !reading.isOver;
  if (state === 'interrupted') why ??= killedAt && ((performance.now() - killedAt) / 1_000).toFixed(1);
  markdown.show(text, state === 'completed');
  const { scrollHeight } = $('text');
  if (isRunning) $('text').scrollTop = scrollHeight;
  $('answer').hidden = false;
  $('answer').dataset.state = isRunning ? state : 'over';
  $('asked').textContent = last.text;
  $('run-state').textContent = isRunning ? 'running' : state;
  $('owner').textContent = `node ${last.node}`;
  $('reader').textContent = reader === '' ? '–' : `node ${reader}`;
  $('run-id').textContent = last.runId;
  $('ask').hidden = isRunning;
  $('ask').textContent = state === 'interrupted' || state === 'stopped' ? 'Ask again' : 'Ask once more';
  $('stop').hidden = $('kill-owner').hidden = !isRunning;
  const tone = TONES[state] ?? 'trouble';
  $('run').dataset.tone = tone;
  say($('told'), tone, sentenceOf(state, last));
}

function sentenceOf(state, { node }) {
  switch (state) {
    case 'asked':
    case 'waiting':
      return `Node ${node} has begun.`;
    case 'writing':
      return killedAt === undefined
        ? `Node ${node} writes, and this page reads${reader === '' ? '.' : ` at node ${reader}.`}`
        : `Node ${node} is dead. Nobody knows yet whether it only stands still.`;
    case 'cut':
      return 'The node that this page was reading at is gone: it goes on at another.';
    case 'completed':
      return `Complete, as node ${node} has written it.`;
    case 'stopped':
      return 'Stopped. What was written stays.';
    case 'interrupted':
      return `Interrupted: node ${node} is gone${why ? `, and ${why} s later every reader was told` : ''}. What it had written stays.`;
    default:
      return 'The answer could not be written.';
  }
}

$('ask').onclick = async () => {
  const { last } = conversation;
  $('ask').disabled = true;
  const isUnfinished = ['interrupted', 'stopped'].includes(last?.answer?.state ?? reading?.state);
  const { problem } = await conversation.ask(QUESTION, { replaces: isUnfinished ? last.runId : undefined });
  $('ask').disabled = false;
  if (problem) say($('told'), 'trouble', `Not asked. ${problem}`);
};
$('stop').onclick = () => conversation.stop(conversation.last);
$('kill-owner').onclick = async () => {
  killedAt = performance.now();
  const { problem } = await request(`/runner/nodes/${conversation.last.node}/kill`, { method: 'POST' });
  if (problem) killedAt = undefined;
  showAnswer();
  if (problem) say($('told'), 'trouble', `Not killed. ${problem}`);
};
