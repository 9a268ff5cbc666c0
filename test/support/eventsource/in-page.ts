import { Bench, type SourceClass } from './bench.js';
import { runCase } from './cases.js';

interface Page {
  readonly sse: { readonly EventSource: SourceClass };
  readonly EventSource: SourceClass;
  runInPage?: (name: string, which: 'native' | 'ours', near: string, far: string) => Promise<unknown>;
}

const page = globalThis as unknown as Page;

page.runInPage = (name, which, near, far) => {
  const Source = which === 'native' ? page.EventSource : page.sse.EventSource;
  return runCase(name, new Bench(Source, near, far));
};
