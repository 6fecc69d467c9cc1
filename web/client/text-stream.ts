/** A generated text that arrives in pieces. */
import { ApiError } from './api-error.ts';

export type TextStream = AsyncIterable<string> & {
  /** The provider and model that answer. Undefined if CORS does not let this origin read the headers. */
  readonly provider: string | undefined;
  readonly model: string | undefined;
};

/**
 * The pieces of a text response, in order. A piece never ends in the middle of a character. Leaving the loop
 * early cancels the call, also at the provider. The stream can be read only once.
 *
 * @throws ApiError `broken_off` when the connection ends before the response is complete.
 */
export function readTextStream(response: Response, signal?: AbortSignal): TextStream {
  return {
    provider: response.headers.get('x-userkeys-provider') ?? undefined,
    model: response.headers.get('x-userkeys-model') ?? undefined,
    [Symbol.asyncIterator]: () => readPieces(response, signal),
  };
}

async function* readPieces(response: Response, signal?: AbortSignal): AsyncGenerator<string, void> {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (reader === undefined) return;
  try {
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) yield piece.value;
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError('broken_off', 'The answer was cut off.');
  } finally {
    reader.cancel().catch(() => undefined);
  }
}
