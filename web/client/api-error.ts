/** What the client throws: a problem document of the API, or the reason why there was no answer to read. */
import type { FieldError, ProblemCode } from '../../lib/errors.ts';
import { fieldsOf, list, optional, text, wholeNumber } from './decode.ts';

/**
 * - `signed_out`: `getToken` gave no token.
 * - `unreachable`: no answer came; offline, blocked by CORS, or the server is gone.
 * - `broken_off`: a streamed answer ended in the middle.
 * - `unexpected_answer`: an answer that is not in the form the API promises.
 */
type ClientCode = 'signed_out' | 'unreachable' | 'broken_off' | 'unexpected_answer';
export type ErrorCode = ProblemCode | ClientCode;

type Details = {
  /** 0 when there was no answer. */
  readonly status?: number;
  readonly requestId?: string | undefined;
  readonly retryAfterSeconds?: number | undefined;
  readonly fieldErrors?: readonly FieldError[];
  /** Further members of the problem document, such as `provider` or `providerMessage`. */
  readonly members?: Readonly<Record<string, unknown>>;
};

/** `code` is the API's (docs/errors.md) or one of `ClientCode`; branch on it and never on the message. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  /** One of `ErrorCode`, or a newer one that this page does not know yet. */
  readonly code: string;
  readonly status: number;
  readonly requestId: string | undefined;
  readonly retryAfterSeconds: number | undefined;
  readonly fieldErrors: readonly FieldError[];
  readonly members: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode | (string & Record<never, never>), message: string, details: Details = {}) {
    super(message);
    this.code = code;
    this.status = details.status ?? 0;
    this.requestId = details.requestId;
    this.retryAfterSeconds = details.retryAfterSeconds;
    this.fieldErrors = details.fieldErrors ?? [];
    this.members = details.members ?? {};
  }
}

/** The error of an answer that is not a success. An answer that is no problem document is told by its status. */
export async function readProblem(response: Response): Promise<ApiError> {
  const { status, headers } = response;
  const retryAfter = Number(headers.get('retry-after') ?? Number.NaN);
  const details = {
    status,
    requestId: headers.get('x-userkeys-request-id') ?? undefined,
    retryAfterSeconds: Number.isFinite(retryAfter) ? retryAfter : undefined,
  };
  try {
    const members = fieldsOf(await response.json());
    return new ApiError(text(members.code), text(members.detail), {
      ...details,
      status: wholeNumber(members.status),
      fieldErrors: optional(members.errors, (errors) => list(errors, decodeFieldError)) ?? [],
      members,
    });
  } catch {
    return new ApiError('unexpected_answer', `The server answered with status ${status}.`, details);
  }
}

function decodeFieldError(value: unknown): FieldError {
  const { pointer, detail } = fieldsOf(value);
  return { pointer: text(pointer), detail: text(detail) };
}
