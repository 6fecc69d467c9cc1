/** Every wait and every body this project allows, with its unit. */

/** Connecting, to KV and to providers alike. */
export const CONNECT_TIMEOUT_MS = 2_000;
/** How long KV may be silent. Leaves room to answer 503 well within three seconds. */
export const KV_TIMEOUT_MS = 1_500;
/** Largest KV answer: every record of one user is under 200 KB. */
export const MAX_KV_ANSWER_BYTES = 4 * 1024 * 1024;

/** One try of opening a master key with a KMS, at a cold start. */
export const KMS_TIMEOUT_MS = 3_000;

/** Fetching the issuer's public keys, and the most they may weigh. */
export const JWKS_TIMEOUT_MS = 3_000;
export const MAX_JWKS_BYTES = 256 * 1024;
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
export const MAX_KEY_CHECK_ANSWER_BYTES = 1024 * 1024;

/** The longest silence in the middle of a provider's stream. */
export const PROVIDER_IDLE_TIMEOUT_MS = 120_000;
/**
 * Bodies passed on to a provider. It is what Vercel takes in a request: a larger one is answered 413 by the platform
 * before a function runs, and by us wherever that platform is not in front, so that no upload works at home alone.
 */
export const MAX_PROXY_REQUEST_BYTES = 4.5 * 1024 * 1024;
/** An error answer of a provider is read whole, to take the key out of it, before it is passed on. */
export const MAX_PROVIDER_ERROR_BYTES = 1024 * 1024;

/** A provider's JSON answer that is read whole before it is passed on. */
export const MAX_JSON_ANSWER_BYTES = 16 * 1024 * 1024;
/** One event of a provider's stream, where it is read and not passed on. The stream itself has no end. */
export const MAX_PROVIDER_EVENT_BYTES = 16 * 1024 * 1024;

/** JSON bodies of our own routes. */
export const MAX_JSON_BYTES = 64 * 1024;
export const MAX_PROMPT_BYTES = 1024 * 1024;

/** Local mode: how long a save waits for other processes to be done with the `.env` file. */
export const ENV_FILE_LOCK_TIMEOUT_MS = 30_000;

/** A gateway body that is read whole because its key is restricted to some models. */
export const MAX_GUARDED_BODY_BYTES = 8 * 1024 * 1024;
/** The most a JSON body may nest, and the most values it may hold: both bound the time that checking it takes. */
export const MAX_JSON_DEPTH = 64;
export const MAX_JSON_VALUES = 20_000;

/** How long the mark of an erased user stays: longer than the longest invocation, 800 seconds on Vercel. */
export const ERASURE_MARK_LIFETIME_SECONDS = 15 * 60;

/** How many characters of a key its owner is shown, and the shortest key of which they are shown. */
export const HINT_CHARACTERS = 4;
export const MIN_KEY_CHARACTERS_FOR_HINT = 12;

/** The longest envelope that is opened. A key of 4,096 characters needs about 5,600. */
export const MAX_ENVELOPE_CHARACTERS = 8_192;

/** The window in which a user's calls are counted. */
export const RATE_WINDOW_SECONDS = 60;
/** The previous window still counts, so a counter lives for two. */
export const CALL_COUNTER_LIFETIME_SECONDS = 2 * RATE_WINDOW_SECONDS;
/** A count of a day's calls outlives its day, whatever the clocks of two instances say. */
export const DAY_COUNTER_LIFETIME_SECONDS = 2 * 24 * 60 * 60;

export const DAY_SECONDS = 24 * 60 * 60;

/** The highest daily limit of a key, and the most models that a key can be restricted to. */
export const MAX_CALLS_PER_DAY = 1_000_000;
export const MAX_MODELS = 50;

/** `lastUsedAt` is recorded at most this often for a key. */
export const LAST_USE_INTERVAL_MS = 60_000;

/** How often a save is tried again while others save the same key: with every try one of them is done. */
export const SAVE_TRIES = 128;
/** How often a key's status is written again while others write the same record. */
export const STATUS_TRIES = 8;

export const DAY_MS = DAY_SECONDS * 1_000;

/** The most audit entries a deployment may keep of a user, so that a log can be read whole in one KV answer. */
export const MAX_AUDIT_ENTRIES = 10_000;
/** Audit entries a page. */
export const DEFAULT_AUDIT_PAGE = 50;
export const MAX_AUDIT_PAGE = 1_000;

/** Days of usage in one answer, and the longest time for which usage is kept. */
export const DEFAULT_USAGE_DAYS = 30;
export const MAX_USAGE_DAYS = 366;
export const MAX_USAGE_AGE_DAYS = 730;
/** The most months of usage that can be stored, whatever a deployment sets, so that an erasure knows them all. */
export const MAX_USAGE_MONTHS = 28;
/** A month's usage takes no new model beyond this many fields: names come from providers, who repeat the caller's. */
export const MAX_USAGE_FIELDS = 4_000;

/** An erasure deletes the call counters too, so erasing has a limit of its own: this often in 15 minutes. */
export const MAX_ERASURES = 10;
/** The most fields that one `invalid_request` names. */
export const MAX_FIELD_ERRORS = 20;

/** The most keys that an issuer's set may hold. */
export const MAX_JWKS_KEYS = 100;
/** The longest session token, and how far the clocks of issuer and deployment may differ. */
export const MAX_TOKEN_CHARACTERS = 16 * 1024;
export const CLOCK_SKEW_SECONDS = 5;
/** The shortest RSA key that verifies a token. */
export const MIN_RSA_BITS = 2_048;

/** `POST /api/search`. */
export const MAX_SEARCH_QUERY_CHARACTERS = 2_000;
export const MAX_SEARCH_RESULTS = 100;

/** The longest path on the gateway, and how often its percent signs may themselves be percent-encoded. */
export const MAX_PATH_CHARACTERS = 8_192;
export const MAX_PATH_ENCODING_LAYERS = 3;
/** How often a text is decoded in search of a token. Characters encoded one by one, such as `%%32%35`, need another round. */
export const TOKEN_DECODING_ROUNDS = 3;
/** The longest name of a model. */
export const MAX_MODEL_CHARACTERS = 200;

/** How often a change to an onboarding session is tried again while others change the same session. */
export const SESSION_TRIES = 16;

/** How long a finished rotation rests: while a former master key is on the ring, and otherwise. */
export const ROTATION_REST_DURING_MS = 20 * 60 * 60_000;
export const ROTATION_REST_MS = 7 * DAY_MS;
/** One step of the scheduled rotation, within what any plan gives a function: 60 seconds. */
export const ROTATION_STEP_MS = 25_000;
export const ROTATION_STEP_USERS = 25_000;
/** How many keys of any kind KV looks at for one page. */
export const ROTATION_SCAN_COUNT = 500;
/** A user has at most 200 KB of records, so that twenty fit into one answer of KV. */
export const ROTATION_USERS_PER_REQUEST = 20;
export const ROTATION_REQUESTS_AT_ONCE = 4;
/** Upstash takes a megabyte in one request on every plan. */
export const MAX_ROTATION_WRITE_CHARACTERS = 500_000;
/** How often a record is read again that somebody else wrote meanwhile. */
export const ROTATION_TRIES = 3;

/** Connections to KV. A burst of calls waits for one instead of opening its own: KV answers in a few milliseconds. */
export const MAX_KV_CONNECTIONS = 64;
