// The frames of a streamed response, for those who read it with fetch.

/** Splits a response into its frames, as text. Who stops reading closes it. */
export async function* framesOf(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const frames = (rest + value).split('\n\n');
      rest = frames.pop();
      yield* frames;
    }
  } finally {
    reader.cancel().catch(() => {}); // it has failed, and is closed
  }
}

/** The fields of one frame. This server ends its lines with LF only, so that is all this looks for. */
export function parseFrame(frame) {
  const fields = { data: [] };
  for (const line of frame.split('\n')) {
    const [, name, value] = /^([^:]*):? ?(.*)$/.exec(line);
    if (name === 'data') fields.data.push(value);
    else if (name) fields[name] = value;
  }
  return { ...fields, data: fields.data.join('\n') };
}
