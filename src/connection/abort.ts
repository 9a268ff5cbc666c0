type Listener = EventListenerOrEventListenerObject;
type Method = (type: string, listener: Listener | null, options?: AddEventListenerOptions | boolean) => void;

/**
 * A controller whose signal guards its listeners: what one throws, or rejects with, is told to `onFailed`. Node would end the
 * process with it, and all that it took would be a client that leaves. (Signals that are made of this one have Node's own way.)
 */
export function createAbort(isAborted: boolean, onFailed: (error: unknown) => void): AbortController {
  const controller = new AbortController();
  if (isAborted) controller.abort();
  const { signal } = controller;
  const calls = new WeakMap<object, Listener>();
  const guarded = (listener: Listener | null): Listener | null => {
    // What is no listener is for Node to refuse.
    if (listener === null || !['function', 'object'].includes(typeof listener)) return listener;
    const call = calls.get(listener) ?? ((event: Event): void => callGuarded(signal, listener, event, onFailed));
    calls.set(listener, call);
    return call;
  };
  for (const name of ['addEventListener', 'removeEventListener'] as const) {
    const method = (signal[name] as Method).bind(signal);
    const value: Method = (type, listener, options) => method(type, guarded(listener), options);
    Object.defineProperty(signal, name, { value, configurable: true, writable: true });
  }
  return controller;
}

function callGuarded(signal: AbortSignal, listener: Listener, event: Event, onFailed: (error: unknown) => void): void {
  try {
    const returned: unknown =
      typeof listener === 'function' ? listener.call(signal, event) : listener.handleEvent(event);
    Promise.resolve(returned).catch(onFailed);
  } catch (error) {
    onFailed(error);
  }
}
