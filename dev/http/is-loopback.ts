const LOOPBACK_NAMES = new Set(['127.0.0.1', 'localhost', '[::1]']);

/** Whether the host of a URL is this machine. False for text that is not a URL. */
export function isLoopback(address: string): boolean {
  return LOOPBACK_NAMES.has(URL.parse(address)?.hostname ?? '');
}
