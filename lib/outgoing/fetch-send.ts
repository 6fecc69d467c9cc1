/** `Send` for runtimes without Node's sockets, such as Vercel's edge runtime. */
import { type Answer, type OutgoingRequest, type Send, SendError } from './send.ts';

export const fetchSend: Send = async (outgoing: OutgoingRequest): Promise<Answer> => {
  const ending = new AbortController();
  const leave = () => ending.abort();
  if (outgoing.signal?.aborted) leave();
  outgoing.signal?.addEventListener('abort', leave, { once: true });
  const release = () => outgoing.signal?.removeEventListener('abort', leave);
  const timer = setTimeout(leave, outgoing.answerTimeoutMs);
  try {
    const response = await fetch(outgoing.url, {
      method: outgoing.method,
      headers: { ...outgoing.headers, 'accept-encoding': 'identity' },
      ...(outgoing.body === undefined ? {} : { body: toBody(outgoing.body), duplex: 'half' }),
      redirect: 'manual',
      cache: 'no-store',
      signal: ending.signal,
    });
    const body = response.body ?? new Blob([]).stream();
    return {
      status: response.status,
      headers: response.headers,
      body: endAfterSilence(body, outgoing.idleTimeoutMs, ending, release),
    };
  } catch {
    release();
    if (outgoing.signal?.aborted) throw new SendError('aborted');
    throw new SendError(ending.signal.aborted ? 'timeout' : 'unreachable');
  } finally {
    clearTimeout(timer);
  }
};

/** Bytes that could sit in shared memory are copied, because `fetch` does not take those. */
function toBody(body: string | Uint8Array | ReadableStream<Uint8Array>): BodyInit {
  return body instanceof Uint8Array ? new Uint8Array(body) : body;
}

function endAfterSilence(
  body: ReadableStream<Uint8Array>,
  idleTimeoutMs: number,
  ending: AbortController,
  release: () => void,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  return new ReadableStream({
    async pull(controller) {
      const timer = setTimeout(() => ending.abort(), idleTimeoutMs);
      try {
        const { done, value } = await reader.read();
        if (!done) return controller.enqueue(value);
        release();
        controller.close();
      } catch {
        release();
        controller.error(new SendError(ending.signal.aborted ? 'timeout' : 'unreachable'));
      } finally {
        clearTimeout(timer);
      }
    },
    cancel() {
      release();
      ending.abort();
    },
  });
}
