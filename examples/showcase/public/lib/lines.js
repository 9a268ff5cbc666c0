// Over HTTP/1.1 a browser opens six connections to a host, in all tabs together. Were all of them streams, the next tab would
// stay white for ever. So the streams that tabs do not share have three lines, which are locks that the browser keeps for all of
// them. The other connections stay free for pages, questions, and what is shared.

const LINES = ['line-1', 'line-2', 'line-3'];

const [navigation] = performance.getEntriesByType('navigation');
const areScarce = !['h2', 'h3'].includes(navigation?.nextHopProtocol);
const wanted = new BroadcastChannel('line-wanted');

/** Whether tabs can share: the browser has locks on https and on localhost only. */
const canShare = navigator.locks !== undefined;

/**
 * Resolves when there is a line for this tab, which then has it until the signal aborts.
 *
 * @param onWait called when there is none yet
 */
export async function takeLine(signal, onWait) {
  if (!areScarce || !canShare) return;
  for (const line of LINES) if (await hold(line, signal, { ifAvailable: true })) return;
  onWait();
  const search = new AbortController();
  signal.addEventListener('abort', () => search.abort(), { once: true });
  const isFirst = () => {
    if (search.signal.aborted) return false;
    search.abort();
    return true;
  };
  const searching = LINES.map((line) => hold(line, signal, { signal: search.signal }, isFirst));
  if (!document.hidden) wanted.postMessage('');
  await Promise.any(searching);
}

/** Calls back when this tab is hidden and ought to let go of its lines, because another that is seen has none. */
export function onWanted(letGo) {
  if (!areScarce) return;
  wanted.addEventListener('message', () => document.hidden && letGo());
  document.addEventListener('visibilitychange', async () => {
    if (document.hidden && (!canShare || (await isAnyoneWaiting()))) letGo();
  });
}

async function isAnyoneWaiting() {
  const { pending } = await navigator.locks.query();
  return pending.some(({ name }) => LINES.includes(name));
}

/** Resolves with whether the line is this tab's, from then on until the signal aborts. */
function hold(line, signal, options, isNeeded = () => true) {
  return new Promise((resolve, reject) => {
    const whileHeld = (lock) => {
      const isHeld = lock !== null && !signal.aborted && isNeeded();
      resolve(isHeld);
      return isHeld && new Promise((release) => signal.addEventListener('abort', release, { once: true }));
    };
    navigator.locks.request(line, options, whileHeld).catch(reject);
  });
}
