/**
 * A body as its chunks, read one after another. Whatever looks at a body on its way wraps `read`. A Web stream is made
 * once, at the end: each one costs more per chunk than all that is done with the chunk.
 */
import { concatenate } from '../bytes.ts';
import { type Body, SendError } from './send.ts';

export function bodyOf(stream: ReadableStream<Uint8Array>): Body {
  const reader = stream.getReader();
  return {
    read: async () => (await reader.read()).value,
    cancel: () => reader.cancel(),
  };
}

/** `readAhead`: how many chunks may be read before the reader of the stream asks for them. */
export function toStream(body: Body, readAhead = 0): ReadableStream<Uint8Array> {
  return new ReadableStream(
    {
      async pull(controller) {
        const chunk = await body.read();
        if (chunk === undefined) controller.close();
        else controller.enqueue(chunk);
      },
      cancel: () => body.cancel(),
    },
    { highWaterMark: readAhead },
  );
}

/** The chunks, for clients that iterate. Leaving the loop cancels the body. */
export async function* chunksOf(body: Body): AsyncGenerator<Uint8Array> {
  let isEnded = false;
  try {
    for (let chunk = await body.read(); chunk !== undefined; chunk = await body.read()) yield chunk;
    isEnded = true;
  } finally {
    if (!isEnded) await body.cancel();
  }
}

/** The same chunks. `look` sees each of them first; what it throws fails the read and ends the exchange. */
export function watchBody(body: Body, look: (chunk: Uint8Array) => void): Body {
  return {
    async read() {
      const chunk = await body.read();
      if (chunk === undefined) return undefined;
      try {
        look(chunk);
      } catch (error) {
        await body.cancel();
        throw error;
      }
      return chunk;
    },
    cancel: () => body.cancel(),
  };
}

export type BodyChange = {
  /** What can be passed on now. */
  push(chunk: Uint8Array): Uint8Array;
  /** What was held back until the end. */
  end(): Uint8Array;
};

/** The same body, changed. Empty chunks are left out. */
export function mapBody(body: Body, change: BodyChange): Body {
  let isEnded = false;
  return {
    async read() {
      while (!isEnded) {
        const chunk = await body.read();
        isEnded = chunk === undefined;
        const changed = chunk === undefined ? change.end() : change.push(chunk);
        if (changed.length > 0) return changed;
      }
      return undefined;
    },
    cancel: () => body.cancel(),
  };
}

/**
 * Returns the body's bytes, or undefined if it is larger than `maxBytes`; the rest is then not read. `Content-Length` is
 * ignored, because it can be wrong.
 *
 * @throws SendError `timeout` for a body that is still arriving after `maxMs`: one that drips keeps every pause short.
 */
export async function readWithLimit(
  body: Body,
  maxBytes: number,
  maxMs?: number,
): Promise<Uint8Array | undefined> {
  const { bytes, isWhole } = await readBeginning(body, maxBytes, maxMs);
  return isWhole ? bytes : undefined;
}

/**
 * Returns the first `maxBytes` of the body, and whether that is all of it. The rest is not read.
 *
 * @throws SendError `timeout`, as `readWithLimit` does.
 */
export async function readBeginning(
  body: Body,
  maxBytes: number,
  maxMs: number = Number.POSITIVE_INFINITY,
): Promise<{ readonly bytes: Uint8Array; readonly isWhole: boolean }> {
  const startedAt = performance.now();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const chunk = await body.read();
    if (chunk === undefined) return { bytes: concatenate(chunks), isWhole: true };
    length += chunk.length;
    chunks.push(chunk);
    if (length > maxBytes) {
      await body.cancel().catch(() => undefined);
      return { bytes: concatenate(chunks).subarray(0, maxBytes), isWhole: false };
    }
    if (performance.now() - startedAt > maxMs) {
      await body.cancel().catch(() => undefined);
      throw new SendError('timeout');
    }
  }
}
