import { acceptance } from '../http/accept.js';
import { queryOf } from '../http/last-event-id.js';
import type { StreamRequest } from '../http/stream-request.js';

/** The form of an answer: Server-Sent Events, or one JSON document of all of them. */
export type AnswerForm = 'stream' | 'document';

/** A client takes neither form of an answer. */
export class NotAcceptable extends Error {}

/**
 * Chooses the form of an answer. What the body says with `stream`, or the query of a request without one, decides; or else what the client likes better; and if it likes both alike, a
 * body that does not say means a document, as in the APIs that have this parameter, and no body means a stream.
 *
 * @throws NotAcceptable
 */
export function chooseForm(request: StreamRequest): AnswerForm {
  const { headers, method, body } = request;
  const stream = acceptance(headers.accept, 'text/event-stream');
  const document = acceptance(headers.accept, 'application/json');
  if (stream === 0 && document === 0) throw new NotAcceptable();
  const isBodiless = method === 'GET' || method === 'HEAD';
  // A parser may have made an empty object of a body that there was none of.
  const asked = isBodiless || typeof body !== 'object' ? null : body;
  const said = isBodiless ? inQuery(request) : (asked as { readonly stream?: unknown } | null)?.stream;
  if (typeof said === 'boolean') return said ? 'stream' : 'document';
  if (stream !== document) return stream > document ? 'stream' : 'document';
  return asked === null ? 'stream' : 'document';
}

function inQuery(request: StreamRequest): boolean | undefined {
  const said = queryOf(request).get('stream');
  return said === 'true' || said === 'false' ? said === 'true' : undefined;
}
