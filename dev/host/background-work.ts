/** Where `waitUntil` of @vercel/functions looks for the platform; this host stands in for it. */
const REQUEST_CONTEXT = Symbol.for('@vercel/request-context');

/**
 * Gives the functions a `waitUntil` and keeps count: `settled()` settles when everything they have put off
 * until after their answers is done. A failure in it is told to `onError`.
 */
export function trackBackgroundWork(onError: (error: unknown) => void): { settled(): Promise<void> } {
  const pending = new Set<Promise<unknown>>();
  function waitUntil(work: Promise<unknown>): void {
    const tracked = work.catch(onError).finally(() => pending.delete(tracked));
    pending.add(tracked);
  }
  Reflect.set(globalThis, REQUEST_CONTEXT, { get: () => ({ waitUntil }) });
  return {
    async settled() {
      while (pending.size > 0) await Promise.all(pending);
    },
  };
}
