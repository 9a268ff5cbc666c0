/** What stands percent-encoded in an address; `undefined` where it is not encoded as it should be. */
export function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

export function isDecodable(text: string): boolean {
  return decoded(text) !== undefined;
}
