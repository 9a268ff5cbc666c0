import { extended } from './naming.js';

type Fields = Record<string, unknown>;
type Build = (message: UiMessage, chunk: Fields) => void;

/** The message that some parts of a UI message stream make, as the AI SDK puts it together. */
export function uiMessageOf(chunks: readonly unknown[]): unknown {
  const message = new UiMessage();
  for (const chunk of chunks) {
    if (typeof chunk !== 'object' || chunk === null) continue;
    const { type } = chunk as Fields;
    if (typeof type !== 'string') continue;
    const build = type.startsWith('data-') ? addData : BUILD.get(type);
    build?.(message, chunk as Fields);
  }
  const { id, metadata, parts } = message;
  return { id, ...(metadata !== undefined && { metadata }), role: 'assistant', parts };
}

class UiMessage {
  id = '';
  metadata: unknown;
  parts: Fields[] = [];
  /** Those texts and reasonings that are being written, by type and id. */
  readonly #written = new Map<string, Fields>();

  begin(type: string, { id, providerMetadata }: Fields): void {
    const part = {
      type,
      ...(type === 'reasoning' && { id }),
      text: '',
      ...given({ providerMetadata }),
      state: 'streaming',
    };
    this.#written.set(`${type} ${String(id)}`, part);
    this.parts.push(part);
  }

  write(type: string, { id, delta, ...more }: Fields, isOver: boolean): void {
    const part = this.#written.get(`${type} ${String(id)}`);
    if (part === undefined) return;
    if (delta !== undefined) part.text = extended(part.text, delta);
    Object.assign(part, given({ providerMetadata: more.providerMetadata, citations: more.citations }));
    if (isOver) part.state = 'done';
  }

  /** The tool part of a call; one that is not there is added, if it is said which tool it is. */
  tool({ toolCallId, toolName, dynamic }: Fields): Fields {
    const known = this.parts.findLast((part) => part.toolCallId === toolCallId && toolCallId !== undefined);
    if (known !== undefined) return known;
    const name = String(toolName);
    const part: Fields =
      dynamic === true ? { type: 'dynamic-tool', toolName: name, toolCallId } : { type: `tool-${name}`, toolCallId };
    this.parts.push(part);
    return part;
  }

  describe({ messageMetadata }: Fields): void {
    if (messageMetadata !== undefined && messageMetadata !== null)
      this.metadata = merged(this.metadata, messageMetadata);
  }

  /** Drops what has been written of this step. */
  resetStep(): void {
    this.#written.clear();
    this.parts = this.parts.slice(0, this.parts.findLastIndex(({ type }) => type === 'step-start') + 1);
  }
}

const BUILD: ReadonlyMap<string, Build> = new Map<string, Build>(
  Object.entries<Build>({
    start(message, chunk) {
      if (typeof chunk.messageId === 'string') message.id = chunk.messageId;
      message.describe(chunk);
    },
    finish: (message, chunk) => message.describe(chunk),
    'message-metadata': (message, chunk) => message.describe(chunk),
    'start-step': (message) => message.parts.push({ type: 'step-start' }),
    'reset-step': (message) => message.resetStep(),
    'text-start': (message, chunk) => message.begin('text', chunk),
    'text-delta': (message, chunk) => message.write('text', chunk, false),
    'text-end': (message, chunk) => message.write('text', chunk, true),
    'reasoning-start': (message, chunk) => message.begin('reasoning', chunk),
    'reasoning-delta': (message, chunk) => message.write('reasoning', chunk, false),
    'reasoning-end': (message, chunk) => message.write('reasoning', chunk, true),
    file: addWhole,
    'reasoning-file': addWhole,
    'source-url': addWhole,
    'source-document': addWhole,
    custom: addWhole,
    'steering-message': addWhole,
    'tool-input-start': (message, chunk) => setTool(message, chunk, { state: 'input-streaming' }),
    'tool-input-delta'(message, chunk) {
      const part = message.tool(chunk);
      part.rawInput = extended(part.rawInput, chunk.inputTextDelta);
    },
    'tool-input-available': (message, chunk) =>
      setTool(message, chunk, { state: 'input-available', input: chunk.input }),
    'tool-input-error'(message, chunk) {
      const { input, errorText } = chunk;
      setTool(message, chunk, { state: 'output-error', input, errorText });
    },
    'tool-approval-request'(message, { toolCallId, approvalId, isAutomatic, signature, reason, approvalDescriptor }) {
      const more = given({ descriptor: approvalDescriptor, requestReason: reason, isAutomatic, signature });
      Object.assign(message.tool({ toolCallId }), {
        state: 'approval-requested',
        approval: { id: approvalId, ...more },
      });
    },
    'tool-approval-response'(message, { approvalId, approved, reason, providerExecuted }) {
      const part = message.parts.find(({ approval }) => (approval as Fields | undefined)?.id === approvalId);
      if (part === undefined) return;
      const approval = { ...(part.approval as Fields), approved, ...given({ reason }) };
      Object.assign(part, { state: 'approval-responded', approval }, given({ providerExecuted }));
    },
    'tool-output-denied': (message, chunk) => (message.tool(chunk).state = 'output-denied'),
    'tool-output-available'(message, chunk) {
      const { output, preliminary } = chunk;
      setTool(message, chunk, { state: 'output-available', output, preliminary });
    },
    'tool-output-error'(message, chunk) {
      setTool(message, chunk, { state: 'output-error', errorText: chunk.errorText });
    },
  }),
);

function addWhole(message: UiMessage, chunk: Fields): void {
  message.parts.push(given(chunk));
}

function addData(message: UiMessage, { transient, ...part }: Fields): void {
  if (transient === true) return;
  const { type, id } = part;
  const known = id === undefined ? undefined : message.parts.find((each) => each.type === type && each.id === id);
  if (known === undefined) message.parts.push(part);
  else known.data = part.data;
}

function setTool(message: UiMessage, chunk: Fields, next: { state: string } & Fields): void {
  const { title, toolMetadata, providerExecuted, inputEncoding, providerMetadata } = chunk;
  const part = message.tool(chunk);
  // What was written of the input is of use until the input is whole, and after a failure.
  if (next.state !== 'output-error') delete part.rawInput;
  delete part.inputEncoding;
  delete part.preliminary;
  const metadata = next.state.startsWith('output') ? 'resultProviderMetadata' : 'callProviderMetadata';
  const more = { title, toolMetadata, providerExecuted, inputEncoding, [metadata]: providerMetadata };
  Object.assign(part, given(next), given(more));
}

/** Without what is not there. */
function given(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function merged(before: unknown, after: unknown): unknown {
  if (!isFields(before) || !isFields(after)) return after;
  const all = { ...before };
  for (const [name, value] of Object.entries(after)) if (value !== undefined) all[name] = merged(before[name], value);
  return all;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
