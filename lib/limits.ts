/** Every wait and every body this project allows, with its unit. */

/** Connecting, to KV and to providers alike. */
export const CONNECT_TIMEOUT_MS = 2_000;
/** How long KV may be silent. Leaves room to answer 503 well within three seconds. */
export const KV_TIMEOUT_MS = 1_500;
/** Largest KV answer: every record of one user is under 200 KB. */
export const KV_MAX_ANSWER_BYTES = 4 * 1024 * 1024;

/** One try of opening a master key with a KMS, at a cold start. */
export const KMS_TIMEOUT_MS = 3_000;

/** Fetching the issuer's public keys, and the most they may weigh. */
export const JWKS_TIMEOUT_MS = 3_000;
export const JWKS_MAX_BYTES = 256 * 1024;
/** How long fetched keys are used without asking again. */
export const JWKS_FRESH_MS = 10 * 60_000;
/** From then on a caller waits for their renewal, unless the issuer is known to be down. */
export const JWKS_OLD_MS = 60 * 60_000;
/** The least time between two fetches for the sake of an unknown `kid`, whatever callers send. */
export const JWKS_COOLDOWN_MS = 30_000;
/** The least time between two tries of an issuer that does not answer. */
export const JWKS_RETRY_MS = 1_000;
/** How long keys are used on after the issuer has stopped answering. */
export const JWKS_STALE_MS = 24 * 60 * 60_000;

/** A key check while a person waits for a page. */
export const KEY_CHECK_TIMEOUT_MS = 10_000;
export const KEY_CHECK_MAX_ANSWER_BYTES = 1024 * 1024;

/** The longest silence in the middle of a provider's stream. */
export const PROVIDER_IDLE_TIMEOUT_MS = 120_000;
/**
 * Bodies passed on to a provider. It is what Vercel takes in a request: a larger one is answered 413 by the platform
 * before a function runs, and by us wherever that platform is not in front, so that no upload works at home alone.
 */
export const PROXY_MAX_REQUEST_BYTES = 4.5 * 1024 * 1024;
/** An error answer of a provider is read whole, to take the key out of it, before it is passed on. */
export const PROVIDER_ERROR_MAX_BYTES = 1024 * 1024;

/** A provider's JSON answer that is read whole before it is passed on. */
export const JSON_MAX_ANSWER_BYTES = 16 * 1024 * 1024;
/** One event of a provider's stream, where it is read and not passed on. The stream itself has no end. */
export const PROVIDER_EVENT_MAX_BYTES = 16 * 1024 * 1024;

/** JSON bodies of our own routes. */
export const JSON_MAX_BYTES = 64 * 1024;
export const PROMPT_MAX_BYTES = 1024 * 1024;

/** Local mode: how long a save waits for other processes to be done with the `.env` file. */
export const ENV_FILE_LOCK_TIMEOUT_MS = 30_000;

/** A gateway body that is read whole because its key is restricted to some models. */
export const GUARDED_BODY_MAX_BYTES = 8 * 1024 * 1024;
/** The most a JSON body may nest, and the most values it may hold: both bound the time that checking it takes. */
export const JSON_MAX_DEPTH = 64;
export const JSON_MAX_VALUES = 20_000;
