/** An answer as it is written. */
import { ApiError } from './api-error.ts';

export type TextStream = AsyncIterable<string> & {
  /** Who answers and with which model; undefined where the server does not let this origin read it. */
  readonly provider: string | undefined;
  readonly model: string | undefined;
};

/**
 * The pieces of a text answer, in order, never in the middle of a character. Leaving the loop ends the call, at
 * the provider too. To be read once.
 *
 * @throws ApiError `broken_off` when the connection ends before the answer does.
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
    throw new ApiError('broken_off', 'The answer broke off before its end.');
  } finally {
    reader.cancel().catch(() => undefined);
  }
}
