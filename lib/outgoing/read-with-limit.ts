/** Reads a whole body up to a size limit. */
import { SendError } from './send.ts';

/**
 * Returns the body's bytes, or undefined if it is larger than `maxBytes`; the rest is then not read. `Content-Length` is
 * ignored, because it can be wrong.
 *
 * @throws SendError `timeout` for a body that is still arriving after `maxMs`: one that drips keeps every pause short.
 */
export async function readWithLimit(
  body: ReadableStream<Uint8Array>,
  maxBytes: number,
  maxMs?: number,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const { bytes, isWhole } = await readBeginning(body, maxBytes, maxMs);
  return isWhole ? bytes : undefined;
}

/**
 * Returns the first `maxBytes` of the body, and whether that is all of it. The rest is not read.
 *
 * @throws SendError `timeout`, as `readWithLimit` does.
 */
export async function readBeginning(
  body: ReadableStream<Uint8Array>,
  maxBytes: number,
  maxMs: number = Number.POSITIVE_INFINITY,
): Promise<{ readonly bytes: Uint8Array<ArrayBuffer>; readonly isWhole: boolean }> {
  const startedAt = performance.now();
  const reader = body.getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return { bytes: concatenate(chunks, length), isWhole: true };
    length += value.length;
    chunks.push(value);
    if (length > maxBytes) {
      await reader.cancel().catch(() => undefined);
      return { bytes: concatenate(chunks, length).subarray(0, maxBytes), isWhole: false };
    }
    if (performance.now() - startedAt > maxMs) {
      await reader.cancel().catch(() => undefined);
      throw new SendError('timeout');
    }
  }
}

function concatenate(chunks: readonly Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.length;
  }
  return whole;
}
