import { copyOnClick, follow, postJson } from './shell.js';

const $ = (id) => document.getElementById(id);
const MAX_ITEMS = 100;

const user = new URLSearchParams(location.search).get('user') ?? 'ada';
const store = `inbox/${user}`;
// Where this user stopped reading, and what came so far: whoever comes back gets what was sent meanwhile.
const inbox = JSON.parse(sessionStorage.getItem(store) ?? '{ "items": [] }');

$('whose').textContent = user;
$('user').value = user;
$('to').value = user;

const from = inbox.lastEventId ? `&lastEventId=${encodeURIComponent(inbox.lastEventId)}` : '';
const source = new EventSource(`/api/notifications?user=${encodeURIComponent(user)}${from}`);
follow(source);
for (const type of ['mention', 'reminder', 'announcement']) {
  source.addEventListener(type, (event) => {
    inbox.lastEventId = event.lastEventId;
    inbox.items.unshift({ type, unread: true, ...JSON.parse(event.data) });
    inbox.items.splice(MAX_ITEMS);
    $('list').prepend(itemOf(inbox.items[0]));
    $('list').children[MAX_ITEMS]?.remove();
    showUnread();
  });
}

$('read').addEventListener('click', () => {
  for (const item of inbox.items) item.unread = false;
  for (const item of $('list').children) item.classList.remove('unread');
  showUnread();
});

$('list').append(...inbox.items.map(itemOf));
showUnread();

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
  const response = await postJson('/api/notifications', letter());
  const answer = await response.json();
  $('sent').textContent = response.ok ? 'Sent.' : answer.message;
});

function curl() {
  const body = JSON.stringify(letter()).replaceAll("'", `'\\''`);
  return `curl -X POST \\\n-H 'content-type: application/json' \\\n-d '${body}' \\\n${location.origin}/api/notifications`;
}
function showCurl() {
  // An announcement goes to everyone.
  $('to').disabled = $('type').value === 'announcement';
  $('sent').textContent = '';
  $('curl').textContent = curl();
}
$('letter').addEventListener('input', showCurl);
showCurl();
copyOnClick($('copy'), curl);
