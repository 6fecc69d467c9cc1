/**
 * Every size, time, count and depth that this project allows, with its unit at the end of its name. A number that is no
 * limit, such as an error code, stays where it is used; test/rules/limits.test.ts finds limits that are elsewhere.
 */

export const HOUR_SECONDS = 60 * 60;
export const DAY_SECONDS = 24 * 60 * 60;
export const DAY_MS = DAY_SECONDS * 1_000;

// Calls that go out

/** Connecting, to KV and to providers alike. */
export const CONNECT_TIMEOUT_MS = 2_000;
/** How long an unused connection is kept. */
export const KEEP_ALIVE_MS = 10_000;
/** A deadline leaves out the time in which this process was busy. On the clock it ends after this many times as long. */
export const MAX_WALL_CLOCK_FACTOR = 10;
/** The shortest time after which a deadline is looked at again. */
export const MIN_DEADLINE_CHECK_MS = 10;

// Calls that come in

/** JSON bodies of our own routes. */
export const MAX_JSON_BYTES = 64 * 1024;
/** The most a JSON body may nest, and the most values it may hold: both bound the time that checking it takes. */
export const MAX_JSON_DEPTH = 64;
export const MAX_JSON_VALUES = 20_000;
/** The most fields that one `invalid_request` names. */
export const MAX_FIELD_ERRORS = 20;
/** How long a browser keeps the answer to a CORS preflight. */
export const PREFLIGHT_LIFETIME_SECONDS = 600;
/** `POST /api/generate`. */
export const MAX_PROMPT_BYTES = 1024 * 1024;
export const MAX_REQUESTED_MODEL_CHARACTERS = 200;
/** `POST /api/search`. */
export const MAX_SEARCH_QUERY_CHARACTERS = 2_000;
export const MAX_SEARCH_RESULTS = 100;
/**
 * Bodies passed on to a provider. It is what Vercel takes in a request: a larger one is answered 413 by the platform
 * before a function runs, and by us wherever that platform is not in front, so that no upload works at home alone.
 */
export const MAX_PROXY_REQUEST_BYTES = 4.5 * 1024 * 1024;
/** The longest path on the gateway, and how often its percent signs may themselves be percent-encoded. */
export const MAX_PATH_CHARACTERS = 8_192;
export const MAX_PATH_ENCODING_LAYERS = 3;
/** How often a text is decoded in search of a token. Characters encoded one by one, such as `%%32%35`, need another round. */
export const MAX_TOKEN_DECODING_ROUNDS = 3;
/** The longest life of a `withUserEnv` scope: a function's time limit in vercel.json. */
export const MAX_SCOPE_LIFETIME_MS = 300_000;
/** The least that `CRON_SECRET` may have. */
export const MIN_CRON_SECRET_CHARACTERS = 16;

// KV

/** How long KV may be silent. Leaves room to answer 503 well within three seconds. */
export const KV_TIMEOUT_MS = 1_500;
/** Largest KV answer: every record of one user is under 200 KB. */
export const MAX_KV_ANSWER_BYTES = 4 * 1024 * 1024;
/** How long an answer of KV may take to arrive, however short its pauses are. */
export const MAX_KV_ANSWER_MS = 10_000;
/** Connections to KV. A burst of calls waits for one instead of opening its own: KV answers in a few milliseconds. */
export const MAX_KV_CONNECTIONS = 64;
/** How many scripts a store may be told by their SHA-1. This project has a few dozen. */
export const MAX_SCRIPT_COUNT = 200;
/** How often a store may lose a script before every call sends it whole. Each loss costs one request. */
export const MAX_SCRIPT_LOSS_COUNT = 10;
/** How long `/api/health` answers what it found. */
export const HEALTH_LIFETIME_MS = 3_000;
/** How long the mark of an erased user stays: longer than the longest invocation, 800 seconds on Vercel. */
export const ERASURE_MARK_LIFETIME_SECONDS = 15 * 60;
/** An erasure deletes the call counters too, so erasing has a limit of its own: this often in 15 minutes. */
export const MAX_ERASURES = 10;

// Session tokens and the issuer's keys

/** The longest session token, and how far the clocks of issuer and deployment may differ. */
export const MAX_TOKEN_CHARACTERS = 16 * 1024;
export const MAX_CLOCK_SKEW_SECONDS = 5;
/** `AUTH_MAX_TOKEN_HOURS`: the longest time from the issue of a token to its expiry. */
export const DEFAULT_TOKEN_LIFETIME_HOURS = 24;
export const MAX_TOKEN_LIFETIME_HOURS = 30 * 24;
/** The shortest RSA key that verifies a token. */
export const MIN_RSA_BITS = 2_048;
/** Fetching the issuer's public keys, how much they may weigh, and how many they may be. */
export const JWKS_TIMEOUT_MS = 3_000;
export const MAX_JWKS_BYTES = 256 * 1024;
export const MAX_JWKS_KEYS = 100;
/** How long fetched keys are used without asking again. */
export const JWKS_FRESH_MS = 10 * 60_000;
/** From then on a caller waits for their renewal, unless the issuer is known to be down. */
export const JWKS_OLD_MS = 60 * 60_000;
/** How old fetched keys may become while the issuer does not answer. */
export const JWKS_STALE_MS = 2 * 60 * 60_000;
/** The least time between two fetches for the sake of an unknown `kid`, whatever callers send. */
export const JWKS_COOLDOWN_MS = 30_000;
/** The least time between two tries of an issuer that does not answer. */
export const JWKS_RETRY_MS = 1_000;

// Provider keys and the vault

/** The longest key that can be saved. */
export const MAX_KEY_CHARACTERS = 4_096;
/** The longest envelope that is opened. A key of 4,096 characters needs about 5,600. */
export const MAX_ENVELOPE_CHARACTERS = 8_192;
/** How many characters of a key its owner is shown, and the shortest key of which they are shown. */
export const HINT_CHARACTERS = 4;
export const MIN_HINTED_KEY_CHARACTERS = 20;
/** A key check while a person waits for a page. */
export const KEY_CHECK_TIMEOUT_MS = 10_000;
export const MAX_KEY_CHECK_ANSWER_BYTES = 1024 * 1024;
/** `lastUsedAt` is recorded at most this often for a key. */
export const LAST_USE_INTERVAL_MS = 60_000;
/** How often a key's status is written again while others write the same record. */
export const MAX_STATUS_TRIES = 8;
/** Opening a master key with a KMS, at a cold start: one try, and how many tries there are. */
export const KMS_TIMEOUT_MS = 3_000;
export const MAX_KMS_TRIES = 3;

// Guards and the rate limit

/** `RATE_LIMIT_PER_MINUTE`. */
export const DEFAULT_CALLS_PER_MINUTE = 120;
export const MAX_CALLS_PER_MINUTE = 1_000_000;
/** `MAX_CONCURRENT_CALLS`: calls of one user at the same time. */
export const DEFAULT_CONCURRENT_CALLS = 32;
export const MAX_CONCURRENT_CALLS = 1_000;
/** When a call is tried again that was one too many at a time. */
export const CONCURRENT_CALLS_RETRY_SECONDS = 2;
/** The window in which a user's calls are counted. */
export const RATE_WINDOW_SECONDS = 60;
/**
 * The part of `RATE_LIMIT_PER_MINUTE` that may be saves and checks of keys: a provider is called for each. 30 a minute by
 * default, so that pasting twenty keys is fine.
 */
export const KEY_CHECKS_SHARE = 0.25;
/** The previous window still counts, so a counter lives for two. */
export const CALL_COUNTER_LIFETIME_SECONDS = 2 * RATE_WINDOW_SECONDS;
/** A count of a day's calls outlives its day, whatever the clocks of two instances say. */
export const DAY_COUNTER_LIFETIME_SECONDS = 2 * DAY_SECONDS;
/** The highest daily limit of a key, and the most models that a key can be restricted to. */
export const MAX_CALLS_PER_DAY = 1_000_000;
export const MAX_MODELS = 50;
/** A gateway body that is read whole because its key is restricted to some models. */
export const MAX_GUARDED_BODY_BYTES = 8 * 1024 * 1024;
/** How much of it is scanned before other calls may go on. */
export const MAX_SCAN_SLICE_BYTES = 64 * 1024;
/** How deep such a body may nest. */
export const MAX_GUARDED_BODY_DEPTH = 64;
/** How many values it may hold, objects and arrays included. A list of token ids to embed is the longest use. */
export const MAX_GUARDED_BODY_VALUES = 1_500_000;

// Providers and their answers

/** `PROVIDER_TIMEOUT_SECONDS`: until a provider's answer begins. The longest invocation on Vercel is the most. */
export const DEFAULT_PROVIDER_TIMEOUT_SECONDS = 120;
export const MAX_PROVIDER_TIMEOUT_SECONDS = 800;
/** The longest silence in the middle of a provider's stream. */
export const PROVIDER_IDLE_TIMEOUT_MS = 120_000;
/** An error answer of a provider is read up to here, to take the key out of it, before it is passed on. */
export const MAX_PROVIDER_ERROR_BYTES = 64 * 1024;
/** What is left out at the end of a longer one: it may hold the beginning of a key, in whatever notation. */
export const CUT_ERROR_MARGIN_CHARACTERS = 256;
/** How much of a provider's own message is passed on in an error of ours. */
export const MAX_PROVIDER_MESSAGE_CHARACTERS = 500;
/** A provider's JSON answer that is read whole before it is passed on. */
export const MAX_JSON_ANSWER_BYTES = 4 * 1024 * 1024;
/** The most values in such an answer, or in one event. Parsing one takes up to a microsecond. */
export const MAX_JSON_ANSWER_VALUES = 20_000;
/** One event of a provider's stream, where it is read and not passed on. The stream itself has no end. */
export const MAX_PROVIDER_EVENT_BYTES = 4 * 1024 * 1024;
/** The longest link in a provider's answer that is changed to lead to the gateway. */
export const MAX_LINK_BYTES = 64 * 1024;

// Redaction

/** How many characters in a row are evidence of a key. */
export const KEY_WINDOW_CHARACTERS = 10;
/** Beside a mask, shorter pieces are no evidence of a key; in the middle of a longer word, more is needed. */
export const MIN_MASKED_PIECE_CHARACTERS = 2;
export const MIN_MASKED_PIECE_IN_WORD_CHARACTERS = 4;
/** A longer piece is found without a mask beside it. */
export const MAX_MASKED_PIECE_CHARACTERS = 16;
/** JSON within JSON, and a percent sign that was encoded in turn. */
export const MAX_ESCAPE_LAYERS = 3;

// Usage

/** `USAGE_MAX_AGE_DAYS`: how long usage is kept. */
export const DEFAULT_USAGE_AGE_DAYS = 400;
export const MAX_USAGE_AGE_DAYS = 730;
/** Days of usage in one answer. */
export const DEFAULT_USAGE_DAYS = 30;
export const MAX_USAGE_DAYS = 366;
/** The most months of usage that can be stored, whatever a deployment sets, so that an erasure knows them all. */
export const MAX_USAGE_MONTHS = 28;
/** A month's usage takes no new model beyond this many fields: names come from providers, who repeat the caller's. */
export const MAX_USAGE_FIELDS = 4_000;
/** The longest name of a model that is stored. */
export const MAX_MODEL_NAME_CHARACTERS = 120;
/**
 * The most that is kept of one JSON answer to read its counts, and of one server-sent event, of which the middle of a
 * long string is left out. A chat answer is far below it; images can be above.
 */
export const MAX_METERED_BYTES = 1024 * 1024;
/** What is kept of a longer answer is at least this much of its end. */
export const MIN_METERED_END_BYTES = 64 * 1024;
/** The most values in a JSON text that is parsed for its counts. Parsing one takes up to a microsecond. */
export const MAX_METERED_VALUES = 20_000;
/** How many places in the end of a longer answer are tried, and of how long a text with how many values. */
export const MAX_METERED_END_TRIES = 8;
export const MAX_METERED_END_VALUES = 2_500;
export const MAX_METERED_END_CHARACTERS = 64 * 1024;
/** The shortest piece of a string that is left out: longer than any name of a member or a model. */
export const MIN_LEFT_OUT_BYTES = 4_096;
/** How many events with a mark of counts may fail to parse before the events of an answer are left unread. */
export const MAX_METERED_ERRORS = 100;
/** How many lines are looked at, from the end, in an answer of one JSON text per line. */
export const MAX_METERED_LINE_COUNT = 1_000;
/** How many chunks of a JSON answer may wait for the caller: a short answer comes to its end at once. */
export const MAX_READ_AHEAD_CHUNKS = 2;

// Audit

/** `AUDIT_MAX_ENTRIES`. The most is what can be read whole in one KV answer. */
export const DEFAULT_AUDIT_ENTRIES = 5_000;
export const MAX_AUDIT_ENTRIES = 10_000;
/** `AUDIT_MAX_AGE_DAYS`. */
export const DEFAULT_AUDIT_AGE_DAYS = 90;
export const MAX_AUDIT_AGE_DAYS = 3_650;
/** Audit entries a page. */
export const DEFAULT_AUDIT_PAGE_ENTRIES = 50;
export const MAX_AUDIT_PAGE_ENTRIES = 1_000;
/** How many kinds of refusals are told apart in an hour: action, route, provider and outcome. */
export const MAX_REFUSAL_GROUPS = 1_000;
/** The groups of an hour are of no use after the next one. */
export const REFUSAL_GROUPS_LIFETIME_SECONDS = 2 * 60 * 60;
/**
 * A call that began longer ago and has not ended counts as interrupted. Longer than a function runs: 300 seconds, as
 * vercel.json sets it.
 */
export const MAX_CALL_SECONDS = 330;
/** Of how many calls it is known, for a day, which entry says that they were interrupted. */
export const MAX_INTERRUPTED_ENTRIES = 100;

// Rotation of master keys

/** How long a finished rotation rests: while a former master key is on the ring, and otherwise. */
export const ROTATION_REST_DURING_MS = 20 * 60 * 60_000;
export const ROTATION_REST_MS = 7 * DAY_MS;
/** One step of the scheduled rotation, within what any plan gives a function: 60 seconds. */
export const MAX_ROTATION_STEP_MS = 25_000;
export const MAX_ROTATION_STEP_USERS = 25_000;
/** How many keys of any kind KV looks at for one page. */
export const ROTATION_SCAN_COUNT = 500;
/** A user has at most 200 KB of records, so that twenty fit into one answer of KV. */
export const MAX_ROTATION_REQUEST_USERS = 20;
export const MAX_ROTATION_REQUESTS = 4;
/** Upstash takes a megabyte in one request on every plan. */
export const MAX_ROTATION_WRITE_CHARACTERS = 500_000;
/** How often a record is read again that somebody else wrote meanwhile. */
export const MAX_ROTATION_TRIES = 3;

// Onboarding

/** `ONBOARDING_STEPS`. */
export const MAX_ONBOARDING_STEPS = 20;
/** What an app may store with a step. The depth is more than any form needs, and recursive readers can take it. */
export const MAX_STEP_DATA_BYTES = 16 * 1024;
export const MAX_STEP_DATA_DEPTH = 32;
/** How often a change to an onboarding session is tried again while others change the same session. */
export const MAX_SESSION_TRIES = 16;

// Local files

/** How long a save waits for other processes to be done with the `.env` file, and how long between two looks. */
export const ENV_FILE_LOCK_TIMEOUT_MS = 30_000;
export const MIN_LOCK_WAIT_MS = 2;
export const MAX_LOCK_WAIT_MS = 40;
/** How often a change starts again because the file was changed by somebody else meanwhile. */
export const MAX_ENV_FILE_TRIES = 5;
