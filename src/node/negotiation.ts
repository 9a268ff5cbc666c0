import { acceptance } from '../http/accept.js';
import type { StreamRequest } from '../http/stream-request.js';

/** The form of an answer: Server-Sent Events, or one JSON document of all of them. */
export type AnswerForm = 'stream' | 'document';

/** A client takes neither form of an answer. */
export class NotAcceptable extends Error {}

/**
 * Chooses the form of an answer. What the body says with `stream` decides; or else what the client likes better; and if it likes both alike, a
 * body that does not say means a document, as in the APIs that have this parameter, and no body means a stream.
 *
 * @throws NotAcceptable
 */
export function chooseForm({ headers, method, body }: StreamRequest): AnswerForm {
  const stream = acceptance(headers.accept, 'text/event-stream');
  const document = acceptance(headers.accept, 'application/json');
  if (stream === 0 && document === 0) throw new NotAcceptable();
  // A parser may have made an empty object of a body that there was none of.
  const asked = method === 'GET' || method === 'HEAD' || typeof body !== 'object' ? null : body;
  const said = (asked as { readonly stream?: unknown } | null)?.stream;
  if (typeof said === 'boolean') return said ? 'stream' : 'document';
  if (stream !== document) return stream > document ? 'stream' : 'document';
  return asked === null ? 'stream' : 'document';
}
