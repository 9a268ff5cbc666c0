import type { Run } from 'nestjs-event-stream/runs';
import type { Selection, SseEvent } from 'nestjs-event-stream';

/** The parts of an answer, as the AI SDK calls them: a run has these as its events, and the other wires make theirs of them. */
export type UiPart =
  | { readonly type: 'start'; readonly messageId: string; readonly messageMetadata: { readonly model: string } }
  | { readonly type: 'text-start' | 'text-end'; readonly id: string }
  | { readonly type: 'text-delta'; readonly id: string; readonly delta: string }
  | { readonly type: 'finish' };

/** The events of a run that writes a text. */
export async function* uiParts(
  pieces: AsyncIterable<string>,
  messageId: string,
  model: string,
): AsyncGenerator<{ data: UiPart }> {
  const id = '0';
  yield { data: { type: 'start', messageId, messageMetadata: { model } } };
  yield { data: { type: 'text-start', id } };
  for await (const delta of pieces) yield { data: { type: 'text-delta', id, delta } };
  yield { data: { type: 'text-end', id } };
  yield { data: { type: 'finish' } };
}

/** The text of some events. */
export function textOf(events: readonly SseEvent[]): string {
  return events.map(({ data }) => (isDelta(data as UiPart) ? (data as { delta: string }).delta : '')).join('');
}

/** A run as Chat Completions have it: what they know nothing of is left out. */
export function asChatChunks(run: Run<UiPart>, model: string): Selection {
  const head = { id: `chatcmpl-${run.id}`, object: 'chat.completion.chunk', model };
  const created = Math.floor(run.startedAt.getTime() / 1_000);
  return run
    .filter(({ data }) => isDelta(data) || data.type === 'finish')
    .map(({ data }) => {
      const delta = isDelta(data) ? { content: data.delta } : {};
      const choice = { index: 0, delta, finish_reason: isDelta(data) ? null : 'stop' };
      return { data: { ...head, created, choices: [choice] } };
    });
}

function isDelta(part: UiPart): part is Extract<UiPart, { type: 'text-delta' }> {
  return part.type === 'text-delta';
}
