import type { Type } from '@nestjs/common';
import type { SseModuleOptions, SseStreamOptions } from 'nestjs-event-stream';
import type { WireProfile } from 'nestjs-event-stream/ai';
import { type TestApp, adapters, startApp } from './app.js';
import { type HandlerContext, streamOf } from './controllers.js';

/** Numbers as letters, of which some are left out; and an end that its clients wait for. */
export const letters: WireProfile = {
  name: 'letters',
  headers: { 'X-Wire': 'letters' },
  encode: ({ data }) => (data === 0 ? undefined : { data: String.fromCharCode(64 + Number(data)) }),
  end: ({ reason }) => (reason === 'complete' ? [{ data: '.' }] : undefined),
  error: ({ code, message }) => [{ type: 'oops', data: { code, message } }],
  cursor: ({ query, headers }) => {
    const has = query.get('has');
    return has === null ? (headers['x-behind'] as string | undefined) : { events: Number(has) };
  },
};

export const fails = (): never => {
  throw new Error('secret of the profile');
};

export async function startWired(
  handler: (context: HandlerContext) => unknown,
  route: SseStreamOptions,
  more: { options?: SseModuleOptions; controllers?: Type[]; adapter?: (typeof adapters)[number] } = {},
): Promise<{ app: TestApp; errors: unknown[]; closed: string[] } & AsyncDisposable> {
  const errors: unknown[] = [];
  const closed: string[] = [];
  const app = await startApp(more.adapter ?? adapters[0]!, {
    controllers: [streamOf(handler, { retryMs: false, heartbeatMs: false, ...route }), ...(more.controllers ?? [])],
    options: {
      onError: (error) => void errors.push(error),
      hooks: { onClosed: (_, reason) => void closed.push(reason) },
      ...more.options,
    },
  });
  return { app, errors, closed, [Symbol.asyncDispose]: () => app[Symbol.asyncDispose]() };
}

export const topic = ({ streams }: HandlerContext): unknown => streams.topic('t');
export const publish = async (app: TestApp, ...numbers: number[]): Promise<void> => {
  for (const data of numbers) await app.streams.publish('t', { data });
};
export const datasOf = (text: string): string => [...text.matchAll(/^data: (.*)$/gm)].map(([, data]) => data).join('');

/** The same topic at another path, where `wire` says how. */
export function otherOf(path: string, wire: WireProfile | undefined): Type {
  return streamOf(topic, { ...(wire && { wire }), retryMs: false, heartbeatMs: false }, path);
}
