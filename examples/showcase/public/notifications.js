import { post } from './lib/request.js';
import { $, copyOnClick, say, showNotice, showStream } from './lib/shell.js';
import { Stream } from './lib/stream.js';

const MAX_ITEMS = 100;

const user = new URLSearchParams(location.search).get('user') ?? 'ada';
const store = `inbox/${user}`;
// Where this user stopped reading, and what came so far: whoever comes back gets what was sent meanwhile.
const inbox = JSON.parse(sessionStorage.getItem(store) ?? '{ "items": [] }');

const EMPTY = {
  connecting: 'Opening the inbox …',
  open: 'Nothing yet. Send the first one.',
  refused: 'There is no inbox of this name.',
};

$('whose').textContent = user;
$('user').value = user;
if ($('user').checkValidity()) $('to').value = user;
$('list').append(...inbox.items.map(itemOf));
showUnread();

const stream = new Stream(`/api/notifications?user=${encodeURIComponent(user)}`, {
  lastEventId: inbox.lastEventId,
  onState(now) {
    showStream(now);
    if (now.state === 'refused') {
      showNotice('trouble', `“${user}” cannot be a name.`, `${now.problem}. Choose another one.`);
      $('user').focus();
    }
    $('empty').textContent = EMPTY[now.state] ?? 'Nothing so far.';
  },
  on: Object.fromEntries(['mention', 'reminder', 'announcement'].map((type) => [type, receive])),
});
stream.open();

function receive(event) {
  const { type, lastEventId } = event;
  inbox.lastEventId = lastEventId;
  inbox.items.unshift({ type, unread: true, ...event.json() });
  inbox.items.splice(MAX_ITEMS);
  $('list').prepend(itemOf(inbox.items[0]));
  $('list').children[MAX_ITEMS]?.remove();
  showUnread();
}

$('read').addEventListener('click', () => {
  for (const item of inbox.items) item.unread = false;
  for (const item of $('list').children) item.classList.remove('unread');
  showUnread();
});

function itemOf({ type, unread, text, at }) {
  const item = document.createElement('li');
  item.classList.toggle('unread', unread);
  const paragraph = document.createElement('p');
  paragraph.textContent = text;
  const note = document.createElement('span');
  note.className = 'note';
  note.textContent = type === 'announcement' ? 'announcement to everyone' : type;
  const time = document.createElement('time');
  time.dateTime = new Date(at).toISOString();
  time.textContent = new Date(at).toLocaleTimeString();
  item.append(paragraph, note, time);
  return item;
}

function showUnread() {
  const unread = inbox.items.filter((item) => item.unread).length;
  $('unread').textContent = `${unread} unread`;
  $('unread').hidden = $('read').hidden = inbox.items.length === 0;
  $('read').disabled = unread === 0;
  $('empty').hidden = inbox.items.length > 0;
  document.title = `${unread ? `(${unread}) ` : ''}Notifications · nestjs-event-stream`;
  sessionStorage.setItem(store, JSON.stringify(inbox));
}

function letter() {
  return Object.fromEntries(new FormData($('letter')));
}

$('letter').addEventListener('submit', async (event) => {
  event.preventDefault();
  $('send').disabled = true;
  say($('sent'), 'waiting', 'Sending …');
  const { problem, isUncertain } = await post('/api/notifications', letter());
  $('send').disabled = false;
  $('send').textContent = problem ? 'Send again' : 'Send';
  if (problem === undefined) return say($('sent'), 'ok', 'Sent.');
  // The text stays in its field.
  const what = isUncertain ? `${problem} It may have been sent all the same.` : `Not sent. ${problem}`;
  say($('sent'), 'trouble', what);
});

function curl() {
  const body = JSON.stringify(letter()).replaceAll("'", `'\\''`);
  return `curl -X POST \\\n-H 'content-type: application/json' \\\n-d '${body}' \\\n${location.origin}/api/notifications`;
}
function showCurl() {
  // An announcement goes to everyone.
  $('to').disabled = $('type').value === 'announcement';
  say($('sent'), 'quiet', '');
  $('curl').textContent = curl();
}
$('letter').addEventListener('input', showCurl);
showCurl();
copyOnClick($('copy'), curl);
