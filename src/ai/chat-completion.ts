import type { SseEvent } from '../wire/event.js';
import { objectsIn } from './naming.js';

type Fields = Record<string, unknown>;

/** The `chat.completion` that some chunks are the pieces of. */
export function completionOf(events: readonly SseEvent[]): unknown {
  const head: Fields = {};
  const choices: Fields[] = [];
  for (const chunk of objectsIn(events)) {
    for (const [name, value] of Object.entries(chunk))
      if (name !== 'choices' && name !== 'object' && value !== null && value !== undefined) head[name] = value;
    for (const choice of listOf(chunk.choices)) add(choices, choice);
  }
  return { ...head, object: 'chat.completion', choices: choices.filter((choice) => choice !== undefined) };
}

function add(choices: Fields[], { index, delta, logprobs, finish_reason: finished, ...others }: Fields): void {
  const at = Number(index ?? 0);
  const message: Fields = { role: 'assistant', content: null, refusal: null };
  const choice = (choices[at] ??= { index: at, message, logprobs: null, finish_reason: null });
  Object.assign(choice, others);
  if (finished !== null && finished !== undefined) choice.finish_reason = finished;
  if (logprobs !== null && logprobs !== undefined) choice.logprobs = joined(choice.logprobs, logprobs);
  for (const [name, value] of Object.entries((delta ?? {}) as Fields)) addPiece(choice.message as Fields, name, value);
}

/** Text is written piece by piece, and so is what is in the items of lists; anything else comes whole. */
function addPiece(whole: Fields, name: string, piece: unknown): void {
  const before = whole[name];
  if (piece === null || piece === undefined) return;
  if (Array.isArray(piece)) whole[name] = withPieces(listOf(before), piece as Fields[]);
  else if (typeof piece === 'string' && typeof before === 'string' && !COMES_WHOLE.has(name))
    whole[name] = before + piece;
  else if (typeof piece === 'object') {
    const inner: Fields = { ...(before as Fields | undefined) };
    for (const [key, value] of Object.entries(piece)) addPiece(inner, key, value);
    whole[name] = inner;
  } else whole[name] = piece;
}

const COMES_WHOLE: ReadonlySet<string> = new Set(['role', 'id', 'type']);

/** Each piece belongs to the item with its index, which is none of the item's own fields. */
function withPieces(items: readonly Fields[], pieces: readonly Fields[]): Fields[] {
  const all = [...items];
  for (const { index, ...piece } of pieces) {
    const at = Number(index ?? all.length);
    const item: Fields = { ...all[at] };
    for (const [name, value] of Object.entries(piece)) addPiece(item, name, value);
    all[at] = item;
  }
  return all;
}

/** The lists of log probabilities go on with each chunk. */
function joined(before: unknown, after: unknown): Fields {
  const all: Fields = { ...(before as Fields | null) };
  for (const [name, value] of Object.entries(after as Fields))
    all[name] = Array.isArray(value) ? [...listOf(all[name]), ...(value as unknown[])] : (value ?? all[name] ?? null);
  return all;
}

function listOf(value: unknown): Fields[] {
  return Array.isArray(value) ? (value as Fields[]) : [];
}
