// What all views share: the state in the header, the commands in the footer, and the reading of raw frames.

const STATES = ['connecting', 'open', 'closed'];

/** Shows an EventSource's readyState (or a state of that name) in the header. */
export function showState(readyState) {
  const badge = document.getElementById('state');
  const state = STATES[readyState] ?? 'idle';
  if (badge.dataset.state === state) return;
  badge.dataset.state = state;
  badge.textContent = state;
}

/** Keeps the header up to date with a source, until the source is closed. */
export function follow(source) {
  const show = () => showState(source.readyState);
  source.addEventListener('open', show);
  source.addEventListener('error', show);
  show();
}

export function postJson(url, body) {
  return fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
}

/** Splits a streamed response into its frames, as text. */
export async function* framesOf(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const frames = (rest + value).split('\n\n');
    rest = frames.pop();
    yield* frames;
  }
}

/** The fields of one frame. This server ends its lines with LF only, so that is all this looks for. */
export function parseFrame(frame) {
  const fields = { data: [] };
  for (const line of frame.split('\n')) {
    const [, name, value] = /^([^:]*):? ?(.*)$/.exec(line);
    if (name === 'data') fields.data.push(value);
    else if (name) fields[name] = value;
  }
  return { ...fields, data: fields.data.join('\n') };
}

export function copyOnClick(button, text) {
  button.addEventListener('click', async () => {
    const label = button.textContent;
    await navigator.clipboard.writeText(text());
    button.textContent = 'Copied';
    setTimeout(() => (button.textContent = label), 1_500);
  });
}

const commands = {
  Dashboard: `curl -N ${location.origin}/api/machine`,
  Answers: `curl -N ${location.origin}/api/answers/once -H 'content-type: application/json' -d '{"question":"How?"}'`,
  Notifications: `curl -N '${location.origin}/api/notifications?user=ada'`,
  Bench: `curl -N ${location.origin}/api/bench/terminal/countdown`,
};

document.getElementById('commands').append(
  ...Object.entries(commands).map(([name, command]) => {
    const row = document.createElement('div');
    row.className = 'command';
    const code = document.createElement('code');
    code.textContent = command;
    code.tabIndex = 0;
    const button = document.createElement('button');
    button.className = 'small';
    button.type = 'button';
    button.textContent = 'Copy';
    button.setAttribute('aria-label', `Copy the command for ${name}`);
    copyOnClick(button, () => command);
    row.append(name, code, button);
    return row;
  }),
);
