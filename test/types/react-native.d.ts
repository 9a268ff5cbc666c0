// What the documentation's samples use of packages that are not installed here, as these declare it.
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
