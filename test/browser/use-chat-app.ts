import { Controller, Get, Header, Module, Param, type Type } from '@nestjs/common';
import * as nest from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import * as ai from 'ai';
import { MockLanguageModelV4 } from 'ai/test';
import { build } from 'esbuild';
import * as sse from 'nestjs-event-stream';
import * as wires from 'nestjs-event-stream/ai';
import * as runs from 'nestjs-event-stream/runs';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/** What the samples of docs/answers.md import on a server. */
const packages: Readonly<Record<string, unknown>> = {
  '@nestjs/common': nest,
  ai,
  'nestjs-event-stream': sse,
  'nestjs-event-stream/ai': wires,
  'nestjs-event-stream/runs': runs,
};

/** The class that the sample leaves to its reader: a model that says what a test has it say, and messages in memory. */
export class TestChats {
  readonly saved = new Map<string, readonly ai.UIMessage[]>();
  readonly logged: unknown[] = [];
  /** How many answers the model has begun. */
  begun = 0;
  /** Of the last of them. */
  signal: AbortSignal | undefined;
  /** What keeps an answer from being begun at all. */
  refusal: Error | undefined;
  #parts: ReadableStreamDefaultController<Part> | undefined;

  readonly #model = new MockLanguageModelV4({
    doStream: async ({ abortSignal }) => {
      this.signal = abortSignal;
      const stream = new ReadableStream<Part>({ start: (controller) => void (this.#parts = controller) });
      this.#parts!.enqueue({ type: 'stream-start', warnings: [] });
      this.#parts!.enqueue({ type: 'text-start', id: 't' });
      this.begun++;
      return { stream };
    },
  });

  get model(): ai.LanguageModel {
    if (this.refusal !== undefined) throw this.refusal;
    return this.#model;
  }

  async save(id: string, messages: readonly ai.UIMessage[]): Promise<void> {
    this.saved.set(id, structuredClone(messages));
  }

  log(error: unknown): void {
    this.logged.push(error);
  }

  say(...words: readonly string[]): void {
    for (const delta of words) this.#parts!.enqueue({ type: 'text-delta', id: 't', delta });
  }

  finish(): void {
    this.#parts!.enqueue({ type: 'text-end', id: 't' });
    this.#parts!.enqueue({
      type: 'finish',
      finishReason: { unified: 'stop', raw: undefined },
      usage: {
        inputTokens: { total: 1, noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
        outputTokens: { total: 1, text: undefined, reasoning: undefined },
      },
    });
    this.#parts!.close();
  }

  fail(error: Error): void {
    this.#parts!.enqueue({ type: 'error', error });
    this.#parts!.close();
  }
}

type StreamResult = Awaited<ReturnType<MockLanguageModelV4['doStream']>>;
type Part = StreamResult['stream'] extends ReadableStream<infer T> ? T : never;

/** The controller of docs/answers.md, and the page that its component is on. */
export async function createChatApp(chats: TestChats): Promise<nest.INestApplication> {
  const script = await bundleChat();

  @Controller()
  class PageController {
    @Get('chats/:id')
    @Header('content-type', 'text/html')
    page(): string {
      return '<!doctype html><link rel="icon" href="data:,"><main></main><script src="/chat.js"></script>';
    }

    @Get('chat.js')
    @Header('content-type', 'text/javascript')
    script(): string {
      return script;
    }

    @Get('saved/:id')
    saved(@Param('id') id: string): readonly ai.UIMessage[] {
      return chats.saved.get(id) ?? [];
    }
  }

  const { Chats, ChatController } = load(sample('chat.controller.ts'));

  @Module({
    imports: [sse.SseModule.forRoot(), runs.SseRunsModule.forRoot()],
    controllers: [PageController, ChatController!],
    providers: [{ provide: Chats!, useValue: chats }],
  })
  class ChatModule {}

  return NestFactory.create(ChatModule, new ExpressAdapter(), { logger: false });
}

async function bundleChat(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('pages/use-chat.ts', import.meta.url))],
    bundle: true,
    format: 'iife',
    target: 'es2022',
    jsx: 'automatic',
    // React acts twice in StrictMode only there, and complains there.
    define: { 'process.env.NODE_ENV': '"development"' },
    plugins: [
      {
        name: 'samples',
        setup({ onResolve, onLoad }) {
          onResolve({ filter: /^sample:/ }, ({ path }) => ({
            path: path.slice('sample:'.length),
            namespace: 'sample',
          }));
          onLoad({ filter: /./, namespace: 'sample' }, ({ path }) => ({
            contents: sample(path),
            loader: 'tsx',
            resolveDir: process.cwd(),
          }));
        },
      },
    ],
    write: false,
  });
  return outputFiles[0]!.text;
}

/** The sample of docs/answers.md that begins with its name. */
function sample(name: string): string {
  const page = readFileSync('docs/answers.md', 'utf8');
  const text = [...page.matchAll(/^```tsx?\n([^]*?)^```$/gm)].find(([, text]) => text!.startsWith(`// ${name}\n`))?.[1];
  if (text === undefined) throw new Error(`There is no sample ${name}`);
  return text;
}

/** The classes that TypeScript exports. */
function load(code: string): Record<string, Type> {
  const { outputText } = ts.transpileModule(code, {
    compilerOptions: {
      module: ts.ModuleKind.CommonJS,
      target: ts.ScriptTarget.ES2022,
      experimentalDecorators: true,
      emitDecoratorMetadata: true,
    },
  });
  const exports = {};
  // eslint-disable-next-line @typescript-eslint/no-implied-eval
  new Function('exports', 'require', outputText)(exports, (name: string) => packages[name]);
  return exports;
}
