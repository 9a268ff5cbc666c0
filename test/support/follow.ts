import { readFileSync } from 'node:fs';

export interface Followed {
  readonly type: string;
  readonly data: string;
  readonly lastEventId: string;
}

export type Follow = (
  url: string,
  options?: { readonly headers?: Record<string, string>; readonly signal?: AbortSignal },
) => AsyncGenerator<Followed, void>;

/** The client of docs/clients.md, as it stands there. */
export async function loadFollow(): Promise<Follow> {
  const blocks = [...readFileSync('docs/clients.md', 'utf8').matchAll(/^```js\n([^]*?)^```$/gm)].map(
    ([, text]) => text!,
  );
  const sample = blocks.filter((text) => text.includes('function* follow('));
  if (sample.length !== 1) throw new Error(`docs/clients.md has ${sample.length} samples of follow()`);
  const module = (await import(`data:text/javascript,${encodeURIComponent(sample[0]!)}`)) as { follow: Follow };
  return module.follow;
}
