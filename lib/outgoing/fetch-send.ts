/** `Send` for runtimes without Node's sockets, such as Vercel's edge runtime. */
import { type Answer, type OutgoingRequest, type Send, SendError } from './send.ts';

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
    const body = response.body ?? new Blob([]).stream();
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
function toBody(body: string | Uint8Array | ReadableStream<Uint8Array>): BodyInit {
  return body instanceof Uint8Array ? new Uint8Array(body) : body;
}

/** The same body. Aborts the exchange if the next chunk takes longer than `idleTimeoutMs`. */
function abortWhenIdle(
  body: ReadableStream<Uint8Array>,
  idleTimeoutMs: number,
  exchange: AbortController,
  onEnd: () => void,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  return new ReadableStream({
    async pull(controller) {
      const timer = setTimeout(() => exchange.abort(), idleTimeoutMs);
      try {
        const { done, value } = await reader.read();
        if (!done) return controller.enqueue(value);
        onEnd();
        controller.close();
      } catch {
        onEnd();
        controller.error(new SendError(exchange.signal.aborted ? 'timeout' : 'unreachable'));
      } finally {
        clearTimeout(timer);
      }
    },
    cancel() {
      onEnd();
      exchange.abort();
    },
  });
}
