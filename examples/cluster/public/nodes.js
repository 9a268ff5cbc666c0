// The style and lib/ are those of the showcase: run.mjs puts them beside this file, and the client.
import { request } from './lib/request.js';
import { $, say, showStream } from './lib/shell.js';
import { Stream } from './lib/stream.js';

const MAX_ROWS = 200;
const LOOK_EVERY_MS = 1_000;
const NODE_STATES = {
  up: { tone: 'ok', text: 'runs' },
  starting: { tone: 'waiting', text: 'starts' },
  down: { tone: 'trouble', text: 'is down, and started again after 3 s' },
  unknown: { tone: 'quiet', text: 'nobody can tell: has the cluster ended?' },
};

let servedBy;
let hops = 0;
/** The newest number of each count that was heard, by node and beginning. */
const counts = new Map();
/** When the first number was published that was heard here. */
let heardSince;
let heard = 0;
let missing = 0;
let repeated = 0;

const stream = new Stream('/api/numbers', {
  // The page shows the node that serves it, and each tab may have another.
  isShared: false,
  // Each node counts once a second: ten seconds without a number say that the connection is gone.
  heartbeat: 3_300,
  // There is another node, and what was killed is back after 3 s: who waits longer sees no hop.
  maxRetryInterval: 500,
  onState: showStream,
  on: {
    node: ({ data }) => hear(JSON.parse(data).node),
    number: ({ data, lastEventId }) => take(JSON.parse(data), lastEventId),
    'stream.reset': ({ data }) => addRow(`stream.reset ${data}`),
  },
});
stream.open();
look();

/** A node says that it is the one that serves this page. */
function hear(node) {
  if (servedBy !== undefined && servedBy !== node) $('hops').textContent = ++hops;
  addRow(servedBy === undefined ? `served by node ${node}` : `was served by node ${servedBy}, now by node ${node}`);
  servedBy = node;
  for (const card of $('nodes').children) card.toggleAttribute('data-serves', card.id === `node-${node}`);
  showNodes(knownNodes());
}

function take({ node, since, n, at, by }, id) {
  heardSince ??= at;
  const count = `${node} ${since}`;
  // Of a count that was under way before, any number may be the first that is heard; of another it is 1.
  const before = counts.get(count) ?? (since < heardSince ? n - 1 : 0);
  if (n <= before) repeated++;
  else missing += n - before - 1;
  counts.set(count, Math.max(n, before));
  heard++;
  addRow(node, String(n), id, by === 'button' ? 'button' : '');
  $('count').textContent = heard;
  $('missing').textContent = missing;
  $('repeated').textContent = repeated;
  $('last').textContent = id;
  const isExact = missing + repeated === 0;
  const faults = isExact ? 'none missing, none twice.' : `${missing} missing, ${repeated} twice.`;
  say($('verdict'), isExact ? 'ok' : 'trouble', `${heard} numbers of ${counts.size} counts: ${faults}`);
}

function addRow(...texts) {
  const row = document.createElement('li');
  if (texts.length === 1) row.className = 'hop';
  row.append(
    ...texts.map((text, i) =>
      Object.assign(document.createElement('span'), { textContent: text, className: i > 1 ? 'dim' : '' }),
    ),
  );
  $('log').prepend(row);
  $('log').children[MAX_ROWS]?.remove();
}

/** Asks, once a second, what the nodes and the engine do. */
async function look() {
  showNodes((await request('/runner/nodes')).answer);
  const { answer: status } = await request('/api/status');
  $('engine').textContent = status === undefined ? '–' : `${status.engine.name} ${status.engine.state}`;
  const { count, answered, expected } = status?.presence ?? {};
  $('presence').textContent = count ?? '–';
  $('answered').textContent = count === undefined ? '' : `${answered} of ${expected} nodes answered`;
  setTimeout(look, LOOK_EVERY_MS);
}

function showNodes(nodes = knownNodes('unknown')) {
  for (const { name, state } of nodes) {
    const card = $(`node-${name}`) ?? addNode(name);
    const { tone, text } = NODE_STATES[state];
    Object.assign(card.dataset, { state, tone });
    const isServing = card.hasAttribute('data-serves') && state === 'up';
    say(card.querySelector('.says'), tone, isServing ? 'serves this page' : text);
    card.querySelector('button').disabled = state !== 'up';
  }
}

function knownNodes(state) {
  return Array.from($('nodes').children, ({ dataset }) => ({ name: dataset.name, state: state ?? dataset.state }));
}

function addNode(name) {
  const card = document.createElement('article');
  card.className = 'card node';
  card.id = `node-${name}`;
  card.dataset.name = name;
  card.toggleAttribute('data-serves', name === servedBy);
  const title = Object.assign(document.createElement('h2'), { textContent: `Node ${name}` });
  const state = Object.assign(document.createElement('p'), { className: 'says' });
  const button = Object.assign(document.createElement('button'), { type: 'button', textContent: 'Kill this node' });
  button.setAttribute('aria-label', `Kill node ${name}`);
  button.onclick = async () => showNodes((await request(`/runner/nodes/${name}/kill`, { method: 'POST' })).answer);
  card.append(title, state, button);
  $('nodes').append(card);
  return card;
}

$('publish').onclick = async () => {
  const { answer, problem } = await request('/api/numbers', { method: 'POST' });
  const taken = answer && `Node ${answer.node} took it, and published its number ${answer.n}.`;
  say($('published'), problem ? 'trouble' : 'quiet', taken ?? `Not published. ${problem}`);
};
