import type { Bench } from './bench.js';
import { type Case, section } from './case.js';

const message = (
  name: string,
  text: string,
  expected: readonly string[],
  more?: Partial<Case>,
): Omit<Case, 'section'> => ({
  name,
  run: (bench) => bench.events(text),
  expected,
  ...more,
});

export const formats = section('the format', [
  message('comments are ignored', ':\ndata: 1\n:data: x\ndata: 2\n: \0\n:\r:' + 'x'.repeat(2_000) + '\n\n', [
    'message||1\n2',
  ]),
  message('a BOM at the beginning is ignored', '\uFEFFdata: 1\n\ndata: 2\n\n', ['message||1', 'message||2']),
  message('a BOM anywhere else is part of a name', 'data: 1\n\n\uFEFFdata: 2\n\ndata: 3\n\n', [
    'message||1',
    'message||3',
  ]),
  message('a second BOM is part of a name', '\uFEFF\uFEFFdata: 1\n\ndata: 2\n\n', ['message||2']),
  message('a field without a colon is empty', 'data\n\ndata\ndata\n\ndata: 1\n\n', [
    'message||',
    'message||\n',
    'message||1',
  ]),
  message('an event without data is none', 'event: a\n\nid: 1\n\n\n\ndata: 1\n\n', ['message|1|1']),
  message('names are exact', 'DATA: 1\n data: 2\ndata : 3\ndatas: 4\ndata: 5\n\n', ['message||5']),
  message('unknown fields are ignored', 'x: 1\n{"a": 1}\ndata: 1\nnothing\n\n', ['message||1']),
  message(
    'one space is left out in front of a value',
    'data:1\ndata: 2\ndata:  3\ndata:\t4\ndata:\u00A05\ndata: 6 \n\n',
    ['message||1\n2\n 3\n\t4\n\u00A05\n6 '],
  ),
  message('a colon is part of the value', 'data:a:b: c\ndata::\n\n', ['message||a:b: c\n:']),
  message(
    'lines end in LF, CR or both',
    'data: 1\r\ndata: 2\rdata: 3\ndata: 4\r\n\r\ndata: 5\r\rdata: 6\n\ndata: 7\n\r',
    ['message||1\n2\n3\n4', 'message||5', 'message||6', 'message||7'],
  ),
  message('other separators are text', 'data: \u2028\u2029\u0085\v\f\n\n', ['message||\u2028\u2029\u0085\v\f']),
  message('a null character is text', 'data: \0\n\ndata\0: 1\n\ndata: 2\n\n', ['message||\0', 'message||2']),
  message('text is UTF-8', 'data: ö 漢 😀 \uFEFF\n\n', ['message||ö 漢 😀 \uFEFF']),
  message('the last line break alone is taken away', 'data: 1\ndata:\ndata:\n\ndata:\ndata: 2\n\n', [
    'message||1\n\n',
    'message||\n2',
  ]),
  message('an event that is not ended is none', 'data: 1\n\ndata: 2\n', ['message||1']),
  message('a line that is not ended is none', 'data: 1\n\ndata: 2', ['message||1']),
  message(
    'the type of an event ends with it',
    'event: a\nevent: message\ndata: 1\n\nevent: a\n\ndata: 2\n\nevent\ndata: 3\n\n',
    ['message||1', 'message||2', 'message||3'],
  ),
  message('an id holds until there is another', 'id: 1\ndata: 1\n\ndata: 2\n\nid: ä\ndata: 3\n\nid\ndata: 4\n\n', [
    'message|1|1',
    'message|1|2',
    'message|ä|3',
    'message||4',
  ]),
  message('an id holds also when its event is none', 'id: 1\n\ndata: 1\n\n', ['message|1|1']),
  message('an id with a null character is none', 'id: 1\ndata: 1\n\nid: 2\0\ndata: 2\n\n', [
    'message|1|1',
    'message|1|2',
  ]),
  {
    name: 'bytes that are no UTF-8 are replaced, however they are cut',
    run: async (bench) => {
      const hex = ['646174613a20c3', 'b620', 'e6bc', 'a2f09f98', '80ff', '0a0a'].join(',');
      return bench.heard(bench.open(bench.path('/bytes', { hex })));
    },
    expected: ['open', 'message||ö 漢😀\uFFFD', 'error 0'],
  },
  {
    name: 'a line break that is cut is one',
    run: async (bench) => {
      const hex = ['data: 1\r', '\n', 'data: 2\r', '\n\r', '\n'].map(hexOf).join(',');
      return bench.heard(bench.open(bench.path('/bytes', { hex })));
    },
    expected: ['open', 'message||1\n2', 'error 0'],
  },
]);

export const retries = section('retry', [
  {
    name: 'is digits alone: what is anything else changes nothing',
    run: async (bench) => {
      const bogus = ['60000x', '  60000', '60000 ', '-1', '6e4', '60000.5', '٣']
        .map((value) => `retry:${value}\n`)
        .join('');
      return comesBackAtOnce(bench, `retry: 10\n${bogus}data: 1`);
    },
    expected: true,
  },
  {
    name: 'changes nothing when it is empty',
    run: (bench) => comesBackAtOnce(bench, 'retry: 10\nretry\nretry:\ndata: 1'),
    expected: true,
    native: { does: false, because: 'Chromium takes its default of 3 s for it' },
  },
  {
    name: 'rules from the line on that it stands in, without an event',
    run: (bench) => comesBackAtOnce(bench, 'retry: 60000\nretry: 10'),
    expected: true,
  },
  {
    name: 'makes it wait as long',
    run: async (bench) => {
      const source = bench.open(bench.path('/message', { message: 'retry: 300' }));
      await bench.first(source, 'error');
      const at = performance.now();
      await bench.first(source, 'open');
      return performance.now() - at > 280;
    },
    expected: true,
  },
]);

function hexOf(text: string): string {
  return Array.from(new TextEncoder().encode(text), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Far sooner than any default. */
async function comesBackAtOnce(bench: Bench, text: string): Promise<boolean> {
  const source = bench.open(bench.path('/message', { message: text }), { retryInterval: 60_000 });
  await bench.first(source, 'error');
  const at = performance.now();
  await bench.first(source, 'open');
  // Chromium would wait for 3 s.
  return performance.now() - at < 2_900;
}
