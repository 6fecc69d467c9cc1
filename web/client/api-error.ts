/** The error that the client throws: a problem document of the API, or a failure to get a usable response. */
import type { FieldError, ProblemCode } from '../../lib/errors.ts';
import { optional, parseArray, parseInteger, parseObject, parseString } from './json-parsers.ts';

/**
 * - `signed_out`: `getToken` gave no token.
 * - `unreachable`: no response. The browser is offline, CORS blocked the request, or the server is down.
 * - `broken_off`: a streamed response ended before it was complete.
 * - `unexpected_answer`: a response with a shape that the API does not define.
 */
type ClientCode = 'signed_out' | 'unreachable' | 'broken_off' | 'unexpected_answer';
export type ErrorCode = ProblemCode | ClientCode;

type Details = {
  /** HTTP status. 0 when there was no response. */
  readonly status?: number;
  readonly requestId?: string | undefined;
  readonly retryAfterSeconds?: number | undefined;
  readonly fieldErrors?: readonly FieldError[];
  /** Further members of the problem document, such as `provider` or `providerMessage`. */
  readonly members?: Readonly<Record<string, unknown>>;
};

/** `code` is one of the API's codes (docs/errors.md) or a `ClientCode`. Branch on the code, never on the message. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  /** One of `ErrorCode`, or a newer code that this version does not know. */
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

/** The error for an unsuccessful response. If the body is not a problem document, the error holds only the status. */
export async function readProblem(response: Response): Promise<ApiError> {
  const { status, headers } = response;
  const retryAfter = Number(headers.get('retry-after') ?? Number.NaN);
  const details = {
    status,
    requestId: headers.get('x-userkeys-request-id') ?? undefined,
    retryAfterSeconds: Number.isFinite(retryAfter) ? retryAfter : undefined,
  };
  try {
    const members = parseObject(await response.json());
    return new ApiError(parseString(members.code), parseString(members.detail), {
      ...details,
      status: parseInteger(members.status),
      fieldErrors: optional(members.errors, (errors) => parseArray(errors, parseFieldError)) ?? [],
      members,
    });
  } catch {
    return new ApiError('unexpected_answer', `The server responded with status ${status}.`, details);
  }
}

function parseFieldError(value: unknown): FieldError {
  const { pointer, detail } = parseObject(value);
  return { pointer: parseString(pointer), detail: parseString(detail) };
}
