// The same small answer, as each protocol has it: text, a call of a tool and, where there is such a thing, thoughts.

const chunk = (delta: object, more: object = {}) => ({
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  created: 1,
  model: 'm',
  choices: [{ index: 0, delta, logprobs: null, finish_reason: null, ...more }],
});

export const chatChunks = [
  chunk({ role: 'assistant', content: '' }),
  chunk({ content: 'Grüß ' }),
  chunk({ content: 'Gott 👋' }),
  chunk({ tool_calls: [{ index: 0, id: 'call_1', type: 'function', function: { name: 'rain', arguments: '' } }] }),
  chunk({ tool_calls: [{ index: 0, function: { arguments: '{"at":' } }] }),
  chunk({ tool_calls: [{ index: 0, function: { arguments: '"Wien"}' } }] }),
  chunk({}, { finish_reason: 'tool_calls' }),
  { ...chunk({}), choices: [], usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 } },
];

const text = { type: 'output_text', text: 'Grüß Gott', annotations: [], logprobs: [] };
const message = (content: object[], status: string) => ({
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  status,
  content,
});
const response = (status: string, output: object[]) => ({
  id: 'resp_1',
  object: 'response',
  created_at: 1,
  model: 'm',
  status,
  error: null,
  incomplete_details: null,
  instructions: null,
  metadata: {},
  parallel_tool_calls: true,
  temperature: 1,
  tool_choice: 'auto',
  tools: [],
  top_p: 1,
  output,
});
const inMessage = { item_id: 'msg_1', output_index: 0, content_index: 0 };

export const responseEvents = [
  { type: 'response.created', response: response('in_progress', []) },
  { type: 'response.in_progress', response: response('in_progress', []) },
  { type: 'response.output_item.added', output_index: 0, item: message([], 'in_progress') },
  { type: 'response.content_part.added', ...inMessage, part: { ...text, text: '' } },
  { type: 'response.output_text.delta', ...inMessage, delta: 'Grüß ', logprobs: [] },
  { type: 'response.output_text.delta', ...inMessage, delta: 'Gott', logprobs: [] },
  { type: 'response.output_text.done', ...inMessage, text: 'Grüß Gott', logprobs: [] },
  { type: 'response.content_part.done', ...inMessage, part: text },
  { type: 'response.output_item.done', output_index: 0, item: message([text], 'completed') },
  { type: 'response.completed', response: response('completed', [message([text], 'completed')]) },
].map((event, sequence_number) => ({ ...event, sequence_number }));

export const anthropicEvents = [
  {
    type: 'message_start',
    message: {
      id: 'msg_1',
      type: 'message',
      role: 'assistant',
      model: 'm',
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: { input_tokens: 3, output_tokens: 1 },
    },
  },
  { type: 'content_block_start', index: 0, content_block: { type: 'thinking', thinking: '', signature: '' } },
  { type: 'content_block_delta', index: 0, delta: { type: 'thinking_delta', thinking: 'Hm' } },
  { type: 'content_block_delta', index: 0, delta: { type: 'thinking_delta', thinking: 'm' } },
  { type: 'content_block_delta', index: 0, delta: { type: 'signature_delta', signature: 'c2ln' } },
  { type: 'content_block_stop', index: 0 },
  { type: 'content_block_start', index: 1, content_block: { type: 'text', text: '' } },
  { type: 'content_block_delta', index: 1, delta: { type: 'text_delta', text: 'Grüß ' } },
  { type: 'content_block_delta', index: 1, delta: { type: 'text_delta', text: 'Gott' } },
  { type: 'content_block_stop', index: 1 },
  {
    type: 'content_block_start',
    index: 2,
    content_block: { type: 'tool_use', id: 'toolu_1', name: 'rain', input: {} },
  },
  { type: 'content_block_delta', index: 2, delta: { type: 'input_json_delta', partial_json: '{"at":' } },
  { type: 'content_block_delta', index: 2, delta: { type: 'input_json_delta', partial_json: '"Wien"}' } },
  { type: 'content_block_stop', index: 2 },
  { type: 'message_delta', delta: { stop_reason: 'tool_use', stop_sequence: null }, usage: { output_tokens: 9 } },
  { type: 'message_stop' },
];

export const uiParts = [
  { type: 'start', messageId: 'msg_1', messageMetadata: { by: 'm' } },
  { type: 'start-step' },
  { type: 'reasoning-start', id: 'r' },
  { type: 'reasoning-delta', id: 'r', delta: 'Hm' },
  { type: 'reasoning-delta', id: 'r', delta: 'm' },
  { type: 'reasoning-end', id: 'r' },
  { type: 'text-start', id: 't' },
  { type: 'text-delta', id: 't', delta: 'Grüß ' },
  { type: 'data-place', id: 'p', data: { at: '?' } },
  { type: 'text-delta', id: 't', delta: 'Gott' },
  { type: 'text-end', id: 't' },
  { type: 'data-place', id: 'p', data: { at: 'Wien' } },
  { type: 'data-note', data: 'passing', transient: true },
  { type: 'source-url', sourceId: 's', url: 'https://example.org/rain', title: 'Rain' },
  { type: 'file', url: 'https://example.org/rain.png', mediaType: 'image/png' },
  { type: 'tool-input-start', toolCallId: 'c', toolName: 'rain' },
  { type: 'tool-input-delta', toolCallId: 'c', inputTextDelta: '{"at":' },
  { type: 'tool-input-delta', toolCallId: 'c', inputTextDelta: '"Wien"}' },
  { type: 'tool-input-available', toolCallId: 'c', toolName: 'rain', input: { at: 'Wien' } },
  { type: 'tool-output-available', toolCallId: 'c', output: { mm: 3 } },
  { type: 'finish-step' },
  { type: 'start-step' },
  { type: 'tool-input-available', toolCallId: 'd', toolName: 'wind', input: null, dynamic: true },
  { type: 'tool-output-error', toolCallId: 'd', errorText: 'no wind' },
  { type: 'finish-step' },
  { type: 'finish', finishReason: 'stop', messageMetadata: { tokens: { out: 2 } } },
];

export const agUiEvents = [
  { type: 'RUN_STARTED', threadId: 'th', runId: 'run' },
  { type: 'STEP_STARTED', stepName: 'think' },
  { type: 'TEXT_MESSAGE_START', messageId: 'm1', role: 'assistant' },
  { type: 'TEXT_MESSAGE_CONTENT', messageId: 'm1', delta: 'Grüß ' },
  { type: 'TEXT_MESSAGE_CONTENT', messageId: 'm1', delta: 'Gott' },
  { type: 'TEXT_MESSAGE_END', messageId: 'm1' },
  { type: 'TOOL_CALL_START', toolCallId: 'c', toolCallName: 'rain', parentMessageId: 'm1' },
  { type: 'TOOL_CALL_ARGS', toolCallId: 'c', delta: '{"at":"Wien"}' },
  { type: 'TOOL_CALL_END', toolCallId: 'c' },
  { type: 'STATE_SNAPSHOT', snapshot: { rain: 3 } },
  { type: 'STATE_DELTA', delta: [{ op: 'replace', path: '/rain', value: 4 }] },
  { type: 'STEP_FINISHED', stepName: 'think' },
  { type: 'RUN_FINISHED', threadId: 'th', runId: 'run' },
];
