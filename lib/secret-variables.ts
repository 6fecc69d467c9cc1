/**
 * The variables of this project whose value is a secret. `withUserEnv` hides them from the code that it wraps.
 * test/process-env/secret-variables.test.ts compares them with `.env.example`.
 */

/** Only this project uses them. In a scope they read `undefined`. */
export const OWN_SECRET_VARIABLES: readonly string[] = ['VAULT_KEYS', 'VAULT_KEYS_KMS', 'CRON_SECRET'];

/**
 * The app may use them too, so in a scope they can be read by name. They are not enumerable there: an error reporter
 * and a child process do not get them.
 */
export const SHARED_SECRET_VARIABLES: readonly string[] = [
  'KV_REST_API_TOKEN',
  'KV_REST_API_READ_ONLY_TOKEN',
  'KV_URL',
  'REDIS_URL',
  'UPSTASH_REDIS_REST_TOKEN',
  'VERCEL_OIDC_TOKEN',
];
