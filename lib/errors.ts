/**
 * Everything that can go wrong, by code. One table maps a code to what the caller sees, so that no message
 * is ever composed from a token, a key or a rejected value.
 */

const PROBLEMS = {
  body_incomplete: [400, 'Body incomplete', 'The request body ended before it was complete.'],
  invalid_json: [400, 'Malformed JSON', 'The request body is not valid JSON.'],
  invalid_request: [
    400,
    'Invalid request',
    'The request does not have the expected form. `errors` lists each invalid field.',
  ],
  path_refused: [
    400,
    'Path refused',
    'The path after the provider id must be a plain path that stays on the provider’s origin.',
  ],
  provider_refused: [
    400,
    'Provider refused the request',
    'The provider accepted the key but refused the request. `providerMessage` contains its reason.',
  ],
  token_missing: [401, 'Token missing', 'Send the session token as `Authorization: Bearer <token>`.'],
  token_invalid: [
    401,
    'Token refused',
    'The session token could not be verified. Sign in again to get a new one.',
  ],
  token_expired: [401, 'Token expired', 'The session token has expired. Get a new one and try again.'],
  key_missing: [403, 'No key stored', 'You have not stored a key for this provider.'],
  key_unreadable: [403, 'Stored key unreadable', 'The stored key cannot be decrypted. Save it again.'],
  key_paused: [403, 'Key paused', 'You have paused this key. The provider was not called.'],
  key_expired: [
    403,
    'Key expired',
    'The expiry date that you set for this key has passed. The provider was not called.',
  ],
  model_not_allowed: [
    403,
    'Model not allowed',
    'You have restricted this key to certain models, and this call may use another model. The provider was not called.',
  ],
  path_not_allowed: [
    403,
    'Path not allowed',
    'Account and key administration cannot be reached through the gateway. The provider was not called.',
  ],
  not_found: [404, 'Not found', 'This address does not exist.'],
  unknown_provider: [
    404,
    'Unknown provider',
    'This provider does not exist. GET /api/providers lists all providers.',
  ],
  method_not_allowed: [
    405,
    'Method not allowed',
    'This address does not support the method. The Allow header lists the supported methods.',
  ],
  step_required: [409, 'Step required', 'This onboarding step is required and cannot be skipped.'],
  step_out_of_order: [409, 'Step out of order', 'An earlier onboarding step must be done first.'],
  step_incomplete: [
    409,
    'Step incomplete',
    'This onboarding step cannot be completed yet because something that it needs is missing.',
  ],
  account_erased: [
    409,
    'Account erased',
    'The account was erased while this request was running. Nothing was stored.',
  ],
  key_deleted: [
    409,
    'Key deleted',
    'The key was deleted while this request was running. Nothing was stored. Save it again if you want to keep it.',
  ],
  env_file_refused: [
    409,
    'Env file not changed',
    'The .env file cannot be changed without risk to its other content. Nothing was stored.',
  ],
  body_too_large: [413, 'Body too large', 'The request body is larger than this address accepts.'],
  key_rejected: [422, 'Key rejected', 'The provider does not accept this key.'],
  rate_limited: [
    429,
    'Too many requests',
    'You have reached the rate limit (calls per minute). Wait and try again.',
  ],
  too_many_calls: [
    429,
    'Too many calls at once',
    'Too many of your calls are in progress. The provider was not called. Wait until one of them has ended.',
  ],
  daily_limit_reached: [
    429,
    'Daily limit reached',
    'This key has reached the daily limit that you set. The provider was not called.',
  ],
  provider_limited: [
    429,
    'Provider limit reached',
    'The provider is limiting calls with this key. Wait and try again.',
  ],
  internal: [500, 'Internal error', 'An unexpected error occurred. The log entry has the same request id.'],
  not_configured: [500, 'Not configured', 'A setting of the deployment is missing or malformed.'],
  provider_error: [502, 'Provider failed', 'The provider answered with an error.'],
  provider_redirected: [
    502,
    'Provider redirected',
    'The provider answered with a redirect. It was not followed because that would send the key to another address.',
  ],
  provider_unreachable: [502, 'Provider unreachable', 'The provider could not be reached.'],
  store_unavailable: [503, 'Key store unavailable', 'The key store is not responding. Try again shortly.'],
  deployment_outdated: [
    503,
    'Deployment outdated',
    'This deployment seals keys under a master key that has been retired. Nothing was stored. Use the current deployment.',
  ],
  store_outdated: [
    503,
    'Key store outdated',
    'Your data is stored in the form of an earlier version. Nothing was changed. The operator of this deployment must run `userkeys migrate tenant --apply`.',
  ],
  vault_unavailable: [
    503,
    'Vault unavailable',
    'The master keys cannot be decrypted at the moment. Nothing was changed. Try again shortly.',
  ],
  issuer_unavailable: [
    503,
    'Token issuer unavailable',
    'The public keys of the token issuer cannot be fetched at the moment. Try again shortly.',
  ],
  env_file_busy: [
    503,
    'Env file busy',
    'Another process is writing the .env file. Nothing was stored. Try again.',
  ],
  provider_timeout: [504, 'Provider timed out', 'The provider did not answer in time.'],
} as const satisfies Record<string, readonly [status: number, title: string, detail: string]>;

export type ProblemCode = keyof typeof PROBLEMS;

/**
 * The rule that refused a call, for codes with several causes. It is only logged and never sent to the caller, so that the
 * operator can distinguish the causes and an attacker cannot. docs/errors.md lists them by code.
 */
export const reasons = {
  token_invalid: [
    'token_too_long',
    'token_malformed',
    'token_header_refused',
    'token_type_refused',
    'token_key_refused',
    'token_algorithm_refused',
    'token_key_unknown',
    'token_key_ambiguous',
    'token_key_unusable',
    'token_key_private',
    'token_key_weak',
    'token_signature_wrong',
    'token_payload_malformed',
    'token_issuer_wrong',
    'token_audience_missing',
    'token_audience_wrong',
    'token_audience_malformed',
    'token_party_wrong',
    'token_party_malformed',
    'token_subject_unusable',
    'token_without_user',
    'token_sender_constrained',
    'token_claim_missing',
    'token_claim_malformed',
    'token_time_malformed',
    'token_not_yet_valid',
    'token_issued_in_future',
    'token_expiry_before_issue',
    'token_lifetime_too_long',
    'cron_secret_missing',
    'cron_secret_wrong',
  ],
  token_missing: ['session_token_missing', 'cron_token_missing'],
  issuer_unavailable: [
    'issuer_unreachable',
    'issuer_timeout',
    'issuer_status_unexpected',
    'issuer_keys_too_large',
    'issuer_keys_malformed',
    'issuer_keys_unusable',
  ],
  store_unavailable: [
    'store_unreachable',
    'store_timeout',
    'store_status_unexpected',
    'store_answer_too_large',
    'store_answer_not_json',
    'store_command_failed',
    'store_answer_unexpected',
    'store_write_contended',
  ],
  key_unreadable: [
    'record_malformed',
    'envelope_too_long',
    'envelope_malformed',
    'envelope_header_unexpected',
    'master_key_missing',
    'envelope_not_authentic',
    'plaintext_malformed',
  ],
  path_refused: ['path_holds_token', 'path_not_plain', 'path_encoding_broken', 'path_leaves_origin'],
  invalid_request: ['fields_invalid', 'json_too_deep_or_large'],
  model_not_allowed: ['models_not_enforceable'],
  body_too_large: ['declared_length_too_large', 'received_length_too_large'],
  rate_limited: ['calls_per_minute', 'key_checks_per_minute', 'erasures_in_a_row'],
  provider_error: ['provider_status_unusable', 'provider_answer_unusable', 'provider_answer_too_large'],
  provider_unreachable: ['provider_connection_failed', 'caller_left'],
} as const satisfies Partial<Record<ProblemCode, readonly string[]>>;

/** A reason, or the code itself if it has only one cause. */
export type Reason = ProblemCode | (typeof reasons)[keyof typeof reasons][number];

/** A field of the input that is wrong: `pointer` is an RFC 6901 JSON Pointer into the body. */
export type FieldError = { readonly pointer: string; readonly detail: string };

type ProblemOptions = {
  /** Replaces the table's detail. A fixed text with public names in it, never with input. */
  readonly detail?: string;
  readonly errors?: readonly FieldError[];
  /** Response headers that belong to the refusal, such as `Retry-After`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Further public members of the problem document (RFC 9457, section 3.2). */
  readonly members?: Readonly<Record<string, string | number>>;
  /** For the log only. Default: the code. */
  readonly reason?: Reason;
};

/**
 * The only error this project throws on purpose. It has no `cause`: causes of network and crypto libraries
 * can hold the command, the token or the plaintext that failed.
 */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly code: ProblemCode;
  readonly status: number;
  readonly title: string;
  readonly errors: readonly FieldError[];
  readonly headers: Readonly<Record<string, string>>;
  readonly members: Readonly<Record<string, string | number>>;
  readonly #reason: Reason;

  constructor(code: ProblemCode, options: ProblemOptions = {}) {
    const [status, title, detail] = PROBLEMS[code];
    super(options.detail ?? detail);
    this.code = code;
    this.status = status;
    this.title = title;
    this.errors = options.errors ?? [];
    this.headers = options.headers ?? {};
    this.members = options.members ?? {};
    this.#reason = options.reason ?? code;
  }

  /** For the log only. Not enumerable, so that a serialized problem does not contain it. */
  get reason(): Reason {
    return this.#reason;
  }
}

/** Every code, for what is stored and read again. */
export const problemCodes = Object.keys(PROBLEMS);

/** The codes with their status, title and detail, for `docs/errors.md` and its test. */
export const problemTable: Readonly<Record<ProblemCode, readonly [number, string, string]>> = PROBLEMS;

/** The problem code for a provider's error status. */
export function refusalCode(status: number): ProblemCode {
  if (status === 401 || status === 403) return 'key_rejected';
  if (status === 429) return 'provider_limited';
  return status >= 400 && status < 500 ? 'provider_refused' : 'provider_error';
}

/** The Problem that an error is answered with. */
export function toPublicProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof ConfigError) return new Problem('not_configured', { detail: error.message });
  return new Problem('internal');
}

/** A setting of the deployment is missing or malformed. The message names each variable and no value. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly variables: readonly string[];

  constructor(issues: readonly { readonly variable: string; readonly message: string }[]) {
    super(issues.map(({ variable, message }) => `${variable}: ${message}`).join('; '));
    this.variables = issues.map(({ variable }) => variable);
  }
}
