const LOOPBACK_NAMES = new Set(['127.0.0.1', 'localhost', '[::1]']);

/** Whether an address names this machine. False for what is no address. */
export function isLoopback(address: string): boolean {
  return LOOPBACK_NAMES.has(URL.parse(address)?.hostname ?? '');
}
