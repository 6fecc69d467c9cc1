import { ApiError } from './api-error.ts';

/** The JSON of an answer as `decode` has it, or ApiError `unexpected_answer`, which repeats nothing of it. */
export async function readAnswer<T>(decode: (value: unknown) => T, response: Response): Promise<T> {
  try {
    return decode(await response.json());
  } catch {
    throw new ApiError(
      'unexpected_answer',
      'The server answered with something this page does not understand.',
      {
        status: response.status,
        requestId: response.headers.get('x-userkeys-request-id') ?? undefined,
      },
    );
  }
}
