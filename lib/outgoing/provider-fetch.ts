/** A `fetch` on top of `Send`, for client libraries that need one. */
import { capAnswer } from './cap-answer.ts';
import { type Send, SendError } from './send.ts';

/**
 * Sends only to addresses under `base`; anything else is refused before it leaves. Redirects are returned, not
 * followed. The answer's body fails where it is larger than `capAnswer` allows; a status that HTTP does not have is a
 * SendError `unusable`.
 */
export function createProviderFetch(
  send: Send,
  base: string,
  timeouts: { readonly answerTimeoutMs: number; readonly idleTimeoutMs: number },
): typeof fetch {
  return async (input, init) => {
    const request = new Request(input, init);
    if (!request.url.startsWith(`${base}/`)) throw new TypeError('address outside the provider');
    const answer = await send({
      method: request.method,
      url: request.url,
      headers: Object.fromEntries(request.headers),
      body: request.body === null ? undefined : new Uint8Array(await request.arrayBuffer()),
      signal: request.signal,
      ...timeouts,
    });
    const { status, headers } = answer;
    if (status < 200 || status > 599) {
      await answer.body.cancel();
      throw new SendError('unusable');
    }
    const bodyless = [204, 205, 304].includes(status);
    return new Response(bodyless ? null : capAnswer(answer), { status, headers });
  };
}
