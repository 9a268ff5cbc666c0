import type { SseEvent } from '../wire/event.js';
import type { WireProfile } from '../wire/profile.js';
import { extended, named, objectsIn } from './naming.js';
import { tellNothing, tellWith } from './options.js';
import type { Tell, WireOptions } from './options.js';

type Fields = Record<string, unknown>;

const ERROR_TYPES: Readonly<Record<string, string>> = {
  expired: 'authentication_error',
  revoked: 'permission_error',
  forbidden: 'permission_error',
  shutdown: 'overloaded_error',
};

const SHARED = make(tellNothing);

/**
 * How Anthropic streams Messages: events that are named as their `type` says, from `message_start` to `message_stop`. Who asks for JSON gets
 * the message.
 *
 * @throws SseError `invalid-options`
 */
export function anthropicMessages(options?: WireOptions): WireProfile {
  return options === undefined ? SHARED : make(tellWith('anthropicMessages()', options));
}

function make(tell: Tell): WireProfile {
  return Object.freeze<WireProfile>({
    name: 'anthropicMessages',
    encode: (event) => named('anthropicMessages', event),
    error: (failure) => {
      const error = { type: ERROR_TYPES[failure.code] ?? 'api_error', message: tell(failure) };
      return [{ type: 'error', data: { type: 'error', error } }];
    },
    heartbeat: Object.freeze({ type: 'ping', data: { type: 'ping' } }),
    reduce: messageOf,
  });
}

function messageOf(events: readonly SseEvent[]): unknown {
  let message: Fields | undefined;
  const content: Fields[] = [];
  const inputs: string[] = [];
  for (const event of objectsIn(events)) {
    const at = Number(event.index);
    if (event.type === 'message_start') message = { ...(event.message as Fields) };
    else if (event.type === 'content_block_start') content[at] = { ...(event.content_block as Fields) };
    else if (event.type === 'content_block_delta') addDelta(content, inputs, at, event.delta as Fields);
    else if (event.type === 'message_delta' && message !== undefined) {
      Object.assign(message, event.delta);
      if (event.usage !== undefined) message.usage = withNumbers(message.usage as Fields, event.usage as Fields);
    }
  }
  inputs.forEach((json, at) => (content[at]!.input = JSON.parse(json || '{}') as unknown));
  return message === undefined ? null : { ...message, content: content.filter((block) => block !== undefined) };
}

function addDelta(content: Fields[], inputs: string[], at: number, { type, ...delta }: Fields): void {
  const block = (content[at] ??= {});
  if (type === 'input_json_delta') inputs[at] = extended(inputs[at], delta.partial_json);
  else if (type === 'citations_delta') block.citations = [...((block.citations ?? []) as unknown[]), delta.citation];
  // text, thinking: written piece by piece; a signature comes whole, behind an empty one.
  else for (const [name, piece] of Object.entries(delta)) block[name] = extended(block[name], piece);
}

/** What is counted at the end takes the place of what was said at the beginning, but for what it says nothing of. */
function withNumbers(before: Fields | undefined, after: Fields): Fields {
  const said = Object.entries(after).filter(([, value]) => value !== null);
  return { ...before, ...Object.fromEntries(said) };
}
