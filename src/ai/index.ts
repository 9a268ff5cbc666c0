// How clients of other protocols are spoken to: the option `wire` of a stream route.
export { agUi } from './ag-ui.js';
export { aiSdkUi } from './ai-sdk-ui.js';
export { anthropicMessages } from './anthropic-messages.js';
export { mcp } from './mcp.js';
export { openaiChat } from './openai-chat.js';
export { openaiResponses } from './openai-responses.js';

export type { WireOptions } from './options.js';
export type { WireEnding, WireFailure, WireProfile, WireRequest } from '../wire/profile.js';
