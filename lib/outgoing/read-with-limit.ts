/** Reads a whole body up to a size limit. */

/**
 * Returns the body's bytes, or undefined if it is larger than `maxBytes`; the rest is then not read. `Content-Length` is
 * ignored, because it can be wrong.
 */
export async function readWithLimit(
  body: ReadableStream<Uint8Array>,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const { bytes, isWhole } = await readBeginning(body, maxBytes);
  return isWhole ? bytes : undefined;
}

/** Returns the first `maxBytes` of the body, and whether that is all of it. The rest is not read. */
export async function readBeginning(
  body: ReadableStream<Uint8Array>,
  maxBytes: number,
): Promise<{ readonly bytes: Uint8Array<ArrayBuffer>; readonly isWhole: boolean }> {
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
