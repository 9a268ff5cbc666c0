// The page of bindings.spec.ts: components that show a stream, in React and in Vue, behind one interface.
import type { StreamState } from 'nestjs-event-stream/client';
import { useStream as useReactStream } from 'nestjs-event-stream/client/react';
import { useStream as useVueStream } from 'nestjs-event-stream/client/vue';
import { type ReactNode, StrictMode, createElement } from 'react';
import { createRoot, hydrateRoot } from 'react-dom/client';
import { createApp, createSSRApp, defineComponent, h, shallowReactive } from 'vue';

/** What the components are told. */
export interface Props {
  readonly url: string | null;
  /** How many there are. */
  readonly readers?: number;
  /** What `reduce` multiplies with: a number that its closure has of the last rendering. */
  readonly factor?: number;
  readonly options?: 'last' | 'sum' | 'typed' | 'snapshot';
  readonly streamKey?: string;
}

export interface Mounted {
  set(props: Partial<Props>): void;
  unmount(): void;
}

export interface Framework {
  mount(props: Props, how?: { strict?: boolean; hydrate?: boolean }): Mounted;
}

interface Bindings {
  readonly react: Framework;
  readonly vue: Framework;
  /** What has been counted. */
  readonly seen: { renders: number; torn: number; reported: string[]; texts: string[] };
}

declare global {
  interface Window {
    readonly bindings: Bindings;
    mounted: Mounted;
  }
}

const seen: Bindings['seen'] = { renders: 0, torn: 0, reported: [], texts: [] };
globalThis.reportError = (error: unknown) => seen.reported.push(String(error));

function optionsOf({ options = 'last', factor = 1, streamKey }: Props): object {
  const key = streamKey === undefined ? {} : { key: streamKey };
  if (options === 'typed') return { text: [] as const, ...key };
  if (options === 'last') return key;
  const reduce = (sum: number, { type, data }: { type: string; data: string }): number => {
    if (data === 'bad') throw new Error('bad data');
    return type === 'stream.reset' ? sum : sum + factor * Number(data);
  };
  const snapshot = async (): Promise<unknown> => (await fetch('/snapshot')).json();
  return { reduce, initial: 0, ...key, ...(options === 'snapshot' && { snapshot }) };
}

const textOf = (data: unknown): string => JSON.stringify(data ?? null);

function Reader(props: Props): ReactNode {
  const { state, data } = useReactStream(props.url, optionsOf(props));
  seen.renders++;
  return createElement('p', { 'data-phase': state.phase, 'data-status': statusOf(state) }, textOf(data));
}

function statusOf(state: StreamState): string {
  return state.phase === 'closed' ? String(state.status) : '';
}

const react: Framework = {
  mount(first, { strict = false, hydrate = false } = {}) {
    let props = first;
    const view = (): ReactNode => {
      const readers = Array.from({ length: props.readers ?? 1 }, (_, key) =>
        createElement(Reader, { ...props, key: `${key} ${props.streamKey}` }),
      );
      return strict ? createElement(StrictMode, null, readers) : readers;
    };
    const place = document.querySelector('main')!;
    const root = hydrate ? hydrateRoot(place, view()) : createRoot(place);
    if (!hydrate) root.render(view());
    return {
      set(change) {
        props = { ...props, ...change };
        root.render(view());
      },
      unmount: () => root.unmount(),
    };
  },
};

const vue: Framework = {
  mount(first, { hydrate = false } = {}) {
    const props = shallowReactive({ ...first });
    const reader = defineComponent(() => {
      // What is asked for later is a function of what is there then.
      const given = optionsOf(props) as { reduce?: unknown };
      const options = given.reduce
        ? {
            ...given,
            reduce: (...args: never[]) =>
              (optionsOf(props) as { reduce: (...args: never[]) => unknown }).reduce(...args),
          }
        : given;
      const { state, data } = useVueStream(
        () => props.url,
        options as { initial: number; reduce: (sum: number) => number },
      );
      return () => {
        seen.renders++;
        return h('p', { 'data-phase': state.value.phase, 'data-status': statusOf(state.value) }, textOf(data.value));
      };
    });
    const readers = (): unknown[] =>
      Array.from({ length: props.readers ?? 1 }, (_, key) => h(reader, { key: `${key} ${props.streamKey}` }));
    const app = (hydrate ? createSSRApp : createApp)({ render: readers });
    app.mount(document.querySelector('main')!);
    return {
      set: (change) => void Object.assign(props, change),
      unmount: () => app.unmount(),
    };
  },
};

/** Called behind each commit: what is on the page is of one moment, or it is torn. */
new MutationObserver(() => {
  const texts = [...document.querySelectorAll('p')].map((each) => `${each.dataset.phase} ${each.textContent}`);
  if (new Set(texts).size > 1) seen.torn++;
  seen.texts.push(texts.join());
}).observe(document.querySelector('main')!, { subtree: true, childList: true, characterData: true, attributes: true });

(window as { bindings: Bindings }).bindings = { react, vue, seen };
