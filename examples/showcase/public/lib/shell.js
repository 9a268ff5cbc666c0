// What all pages share: the state in the header, the notice below it, and buttons that copy.

export const $ = (id) => document.getElementById(id);

/** The states of a stream (see stream.js), and `waiting` for a line (see lines.js): how each is coloured and called, and what a reader should know of it. */
const STATES = {
  idle: { tone: 'quiet', label: 'idle' },
  connecting: { tone: 'waiting', label: 'connecting' },
  waiting: {
    tone: 'waiting',
    label: 'in line',
    title: 'No connection is free.',
    text:
      'Other windows have the three that are there for streams that are not shared: over HTTP/1.1 a browser opens six connections ' +
      'to a host. This one begins when another is closed or out of sight. HTTP/2 has no such limit.',
  },
  open: { tone: 'ok', label: 'live' },
  reconnecting: { tone: 'waiting', label: 'reconnecting' },
  lost: {
    tone: 'trouble',
    label: 'lost',
    title: 'The server cannot be reached.',
    text: 'What is here stays. The page tries again every few seconds, and goes on where it was.',
  },
  silent: {
    tone: 'trouble',
    label: 'no answer',
    title: 'The server does not answer.',
    text: 'What is here stays. The page goes on where it was as soon as something comes.',
  },
  busy: {
    tone: 'trouble',
    label: 'busy',
    title: 'The server is there, and cannot serve this now.',
    text: 'What is here stays. The page tries again when the server has asked it to.',
  },
  paused: { tone: 'paused', label: 'paused' },
  refused: { tone: 'trouble', label: 'refused', title: 'The server refused.' },
  /** Two that are not of a stream, but of what it was to carry. */
  interrupted: { tone: 'trouble', label: 'interrupted' },
  missing: { tone: 'trouble', label: 'not found' },
  ended: { tone: 'quiet', label: 'ended' },
};

/** How a stream is. A device that is offline explains what the server is not to blame for. */
export function describe({ state, problem = '' }) {
  const description = { text: problem, ...STATES[state] };
  if (state !== 'lost' || navigator.onLine) return description;
  return { ...description, label: 'offline', title: 'This device is offline.' };
}

/** Shows the state of a stream in the header, with the time to its next attempt, and in the notice what there is to say of it. */
export function showStream(stream) {
  showState(stream);
  const { tone, title, text } = describe(stream);
  if (title) showNotice(tone, title, text);
  else hideNotice();
}

export function showState(stream) {
  const { tone, label } = describe(stream);
  Object.assign($('state').dataset, { tone, state: stream.state });
  if ($('state').textContent !== label) $('state').textContent = label;
  showNext(stream);
}

let ticking;

/** Why a stream waits, and for how long. It is no part of the state: a `timer` is not read out with each second. */
function showNext({ reason, retryAt }) {
  clearInterval(ticking);
  $('next').replaceChildren();
  if (!Number.isFinite(retryAt)) return;
  const why = Object.assign(document.createElement('span'), { className: 'why', textContent: `${reason}, ` });
  const rest = document.createElement('span');
  const show = () => (rest.textContent = `${Math.max(0, Math.ceil((retryAt - Date.now()) / 1_000))} s`);
  show();
  $('next').append(why, rest);
  ticking = setInterval(show, 250);
}

export function showNotice(tone, title, text = '') {
  // It is read out: not again, while there is nothing new.
  if (!$('notice').hidden && $('notice').textContent === `${title} ${text}`) return;
  const strong = Object.assign(document.createElement('strong'), { textContent: title });
  $('notice').dataset.tone = tone;
  $('notice').replaceChildren(strong, ` ${text}`);
  $('notice').hidden = false;
}

export function hideNotice() {
  $('notice').hidden = true;
}

/** A line of text with the colour of what it says. What has not changed is not written: such lines are read out. */
export function say(element, tone, text) {
  element.dataset.tone = tone;
  if (element.textContent !== text) element.textContent = text;
}

export function clock(at) {
  return new Date(at).toLocaleTimeString([], { hour12: false });
}

/** Makes a button copy what `text` returns. Without a clipboard, which needs https or localhost, there is no button. */
export function copyOnClick(button, text) {
  button.hidden = navigator.clipboard === undefined;
  const label = button.textContent;
  button.addEventListener('click', async () => {
    const isCopied = await navigator.clipboard.writeText(text()).then(
      () => true,
      () => false,
    );
    button.textContent = isCopied ? 'Copied' : 'Not allowed';
    setTimeout(() => (button.textContent = label), 1_500);
  });
}

const command = $('command');
if (command) {
  command.textContent = command.textContent.replace('ORIGIN', location.origin);
  copyOnClick($('copy-command'), () => command.textContent);
}
