/** `Send` for runtimes without Node's sockets, such as Vercel's edge runtime. */
import { bodyOf, toStream } from './body.ts';
import { type Answer, type Body, type OutgoingRequest, type Send, SendError } from './send.ts';

export const fetchSend: Send = async (outgoing: OutgoingRequest): Promise<Answer> => {
  const controller = new AbortController();
  const abort = () => controller.abort();
  if (outgoing.signal?.aborted) abort();
  outgoing.signal?.addEventListener('abort', abort, { once: true });
  const removeListener = () => outgoing.signal?.removeEventListener('abort', abort);
  const timer = setTimeout(abort, outgoing.answerTimeoutMs);
  try {
    const response = await fetch(outgoing.url, {
      method: outgoing.method,
      headers: { ...outgoing.headers, 'accept-encoding': 'identity' },
      ...(outgoing.body === undefined ? {} : { body: toBody(outgoing.body), duplex: 'half' }),
      redirect: 'manual',
      cache: 'no-store',
      signal: controller.signal,
    });
    const body = bodyOf(response.body ?? new Blob([]).stream());
    return {
      status: response.status,
      headers: response.headers,
      body: abortWhenIdle(body, outgoing.idleTimeoutMs, controller, removeListener),
    };
  } catch {
    removeListener();
    if (outgoing.signal?.aborted) throw new SendError('aborted');
    throw new SendError(controller.signal.aborted ? 'timeout' : 'unreachable');
  } finally {
    clearTimeout(timer);
  }
};

/** Copies the bytes, because `fetch` does not accept a view of shared memory. */
function toBody(body: string | Uint8Array | Body): BodyInit {
  if (typeof body === 'string') return body;
  return body instanceof Uint8Array ? new Uint8Array(body) : toStream(body);
}

/** The same body. Aborts the exchange if the next chunk takes longer than `idleTimeoutMs`. */
function abortWhenIdle(
  body: Body,
  idleTimeoutMs: number,
  exchange: AbortController,
  onEnd: () => void,
): Body {
  return {
    async read() {
      const timer = setTimeout(() => exchange.abort(), idleTimeoutMs);
      try {
        const chunk = await body.read();
        if (chunk === undefined) onEnd();
        return chunk;
      } catch {
        onEnd();
        throw new SendError(exchange.signal.aborted ? 'timeout' : 'unreachable');
      } finally {
        clearTimeout(timer);
      }
    },
    async cancel() {
      onEnd();
      exchange.abort();
    },
  };
}
