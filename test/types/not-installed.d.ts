// What the documentation's samples use that is not installed here, or that Node 20 lacks, as it is declared where it is.
declare module 'expo/fetch' {
  export function fetch(
    url: string,
    init?: {
      body?: BodyInit | null;
      credentials?: RequestCredentials;
      headers?: HeadersInit;
      method?: string;
      signal?: AbortSignal | null;
      redirect?: RequestRedirect;
    },
  ): Promise<Response>;
}

declare module 'react-native' {
  export const AppState: {
    addEventListener(
      type: 'change',
      listener: (state: 'active' | 'background' | 'inactive' | 'unknown' | 'extension') => void,
    ): { remove(): void };
  };
}

declare module 'node:sqlite' {
  type Input = null | number | bigint | string | NodeJS.ArrayBufferView;

  export class DatabaseSync {
    constructor(path: string | Buffer | URL, options?: object);
    exec(sql: string): void;
    prepare(sql: string): {
      run(...values: Input[]): object;
      get(...values: Input[]): Record<string, unknown> | undefined;
      all(...values: Input[]): Record<string, unknown>[];
    };
    close(): void;
  }
}
