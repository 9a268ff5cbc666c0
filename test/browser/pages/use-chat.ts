// The page of use-chat.spec.ts: the component of docs/answers.md, with the messages that are saved of its chat.
import type { UIMessage } from 'ai';
import { StrictMode, createElement } from 'react';
import { createRoot } from 'react-dom/client';
import { Chat } from 'sample:chat.tsx';

declare global {
  interface Window {
    /** The bodies that have come to their end. */
    readonly wire: string[];
  }
}

const wire: string[] = [];
(window as { wire: string[] }).wire = wire;
const { fetch } = window;
window.fetch = async (...request) => {
  const response = await fetch(...request);
  // One that is left by the page fails.
  void response
    .clone()
    .text()
    .then(
      (text) => wire.push(text),
      () => undefined,
    );
  return response;
};

const id = location.pathname.split('/').at(-1)!;
const root = createRoot(document.querySelector('main')!);

async function show(): Promise<void> {
  const saved = (await (await fetch(`/saved/${id}`)).json()) as UIMessage[];
  root.render(createElement(StrictMode, null, createElement(Chat, { id, saved })));
}

void show();
