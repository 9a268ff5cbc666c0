import { Bench, type Init, type SourceClass } from './bench.js';
import { runCase } from './cases.js';

interface Page {
  readonly sse: { readonly EventSource: SourceClass };
  readonly EventSource: SourceClass;
  heardInPage?: (url: string, init: Init, errors: number) => Promise<string[]>;
  runInPage?: (name: string, which: 'native' | 'ours', near: string, far: string) => Promise<unknown>;
}

const page = globalThis as unknown as Page;

page.runInPage = (name, which, near, far) => {
  const Source = which === 'native' ? page.EventSource : page.sse.EventSource;
  return runCase(name, new Bench(Source, near, far));
};

page.heardInPage = (url, init, errors) => {
  const bench = new Bench(page.sse.EventSource, location.origin, location.origin);
  return bench.heard(bench.open(url, init), errors);
};
