// The page of recipes.spec.ts: the components of docs/clients-frameworks.md, behind one interface.
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { type FunctionComponent, type ReactNode, createElement } from 'react';
import { createRoot } from 'react-dom/client';
import { mount as mountSvelte, unmount as unmountSvelte } from 'svelte';
import { fromStore, writable } from 'svelte/store';
import { createApp, h, shallowReactive } from 'vue';
import { Orders } from 'recipe:orders.tsx';
import { Price as ReactPrice } from 'recipe:price.tsx';
import { Room } from 'recipe:room.tsx';
import SveltePrice from 'recipe:Price.svelte';
import { Price as SwrPrice } from 'recipe:swr-price.tsx';
import VuePrice from 'recipe:Price.vue';
import { bootstrap } from './angular-root.js';

/** A component that shows the price of something. */
export interface Mounted {
  set(symbol: string): void;
  unmount(): void;
}

type Mount = (symbol: string) => Mounted | Promise<Mounted>;

const place = document.querySelector('main')!;

const prices = {
  react: mountReact(ReactPrice),
  swr: mountReact(SwrPrice),
  vue: (first) => {
    const props = shallowReactive({ symbol: first });
    const app = createApp({ render: () => h(VuePrice, props) });
    app.mount(place);
    return { set: (symbol) => void Object.assign(props, { symbol }), unmount: () => app.unmount() };
  },
  svelte: (first) => {
    const store = writable(first);
    const shown = fromStore(store);
    const component = mountSvelte(SveltePrice, {
      target: place,
      props: {
        get symbol() {
          return shown.current;
        },
      },
    });
    return { set: (symbol) => store.set(symbol), unmount: () => void unmountSvelte(component) };
  },
  angular: (first) => bootstrap(place, first),
  'angular on a server': (first) => bootstrap(place, first, true),
} satisfies Record<string, Mount>;

function mountReact(component: FunctionComponent<{ symbol: string }>): Mount {
  return (first) => {
    const root = createRoot(place);
    const set = (symbol: string): void => root.render(createElement(component, { symbol }));
    set(first);
    return { set, unmount: () => root.unmount() };
  };
}

const lists = {
  room: () => createElement(Room, { room: 'a' }),
  orders: () => createElement(QueryClientProvider, { client: new QueryClient() }, createElement(Orders)),
} satisfies Record<string, () => ReactNode>;

function mountList(name: keyof typeof lists): { unmount(): void } {
  const root = createRoot(place);
  root.render(lists[name]());
  return { unmount: () => root.unmount() };
}

export type PriceRecipe = keyof typeof prices;

declare global {
  interface Window {
    readonly recipes: {
      readonly prices: Readonly<Record<PriceRecipe, Mount>>;
      readonly mountList: typeof mountList;
    };
    /** That is mounted. */
    recipe: { set?(symbol: string): void; unmount(): void } | undefined;
  }
}

(window as { recipes: Window['recipes'] }).recipes = { prices, mountList };
