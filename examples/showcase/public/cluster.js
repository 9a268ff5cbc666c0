import { $, copyOnClick, say, showStream } from './lib/shell.js';
import { Stream } from './lib/stream.js';

const stream = new Stream('/api/cluster', {
  // Its events have no ids. What it says first is for the client that asks: a tab that joined others would not hear it.
  isShared: false,
  onState: showStream,
  on: { cluster: (event) => show(event.json()) },
});
stream.open();
copyOnClick($('copy'), () => $('start').textContent);

function show({ url, isRunning, nodes }) {
  say($('running'), isRunning ? 'ok' : 'quiet', isRunning ? `It runs, at ${url}` : 'It does not run.');
  $('visit').href = url;
  $('how').hidden = isRunning;
  $('there').hidden = $('nodes').hidden = !isRunning;
  $('nodes').replaceChildren(...nodes.map(itemOf));
}

function itemOf({ name, state }) {
  const item = document.createElement('li');
  item.className = 'says';
  say(item, { up: 'ok', down: 'trouble' }[state] ?? 'waiting', `node ${name} is ${state}`);
  return item;
}
