/**
 * The only module that reads the environment. It decides the mode and rejects an incomplete configuration. Errors name
 * variables and never contain a value.
 */
import { z } from 'zod';
import type { AuditBounds } from './audit/audit-log.ts';
import { ConfigError } from './errors.ts';
import { isTenant, type TenantSettings } from './identity/user-id.ts';
import {
  DEFAULT_AUDIT_AGE_DAYS,
  DEFAULT_AUDIT_ENTRIES,
  DEFAULT_CALLS_PER_MINUTE,
  DEFAULT_CONCURRENT_CALLS,
  DEFAULT_PROVIDER_TIMEOUT_SECONDS,
  DEFAULT_TOKEN_LIFETIME_HOURS,
  DEFAULT_USAGE_AGE_DAYS,
  HOUR_SECONDS,
  MAX_AUDIT_AGE_DAYS,
  MAX_AUDIT_ENTRIES,
  MAX_CALLS_PER_MINUTE,
  MAX_CONCURRENT_CALLS,
  MAX_PROVIDER_TIMEOUT_SECONDS,
  MAX_TOKEN_LIFETIME_HOURS,
  MAX_USAGE_AGE_DAYS,
  MIN_CRON_SECRET_CHARACTERS,
} from './limits.ts';
import type { LocalFiles } from './local/local-keys.ts';
import { onboardingSteps, type StepDefinition } from './onboarding/onboarding-steps.ts';
import { type ProviderId, providerIds } from './providers/catalogue.ts';
import { Secret } from './secret.ts';
import { type PriceTable, priceTable } from './usage/price-table.ts';
import { readVaultSettings, type VaultSettings } from './vault/vault-settings.ts';

export type Mode = 'local' | 'production';

/** The environment variables of the process. */
export type Environment = Readonly<Record<string, string | undefined>>;

export type Config = VaultSettings & {
  readonly mode: Mode;
  readonly kv: { readonly url: string; readonly token: Secret };
  readonly auth: {
    readonly issuer: string;
    /** Undefined: derived from the issuer. */
    readonly tenant: string | undefined;
    readonly jwksUrl: string;
    /** PEM (SPKI) or JWK text. When set, verifying a token needs no network call. */
    readonly publicKey: string | undefined;
    /** Accepted `aud` values; empty: any. In production this or `authorizedParties` has a value. */
    readonly audience: readonly string[];
    /** Accepted `azp` values; empty: any. */
    readonly authorizedParties: readonly string[];
    /** The `kid`s of keys that verify no token, whoever publishes them. */
    readonly refusedKids: readonly string[];
    /** The longest time from `iat` to `exp`. */
    readonly maxTokenSeconds: number;
  };
  readonly allowedOrigins: readonly string[];
  readonly rateLimitPerMinute: number;
  /** How many calls of one user may use keys at the same time. */
  readonly maxConcurrentCalls: number;
  /** How long a provider may take to send its response headers. */
  readonly providerTimeoutMs: number;
  readonly cronSecret: Secret | undefined;
  readonly audit: AuditBounds;
  readonly usage: { readonly maxAgeDays: number; readonly prices: PriceTable | undefined };
  /** Whether every call is logged, not only refused and failed ones. */
  readonly logsEveryCall: boolean;
  /** Whether OpenTelemetry is configured, through its own environment variables. */
  readonly isTraced: boolean;
  /** Providers to which the trace context (`traceparent`) of a call is sent. */
  readonly traceContextTo: readonly ProviderId[];
  /** The operator's overrides of provider origins, normalized by the URL parser, without a trailing slash. */
  readonly baseUrls: ReadonlyMap<ProviderId, string>;
  readonly onboarding: {
    readonly steps: readonly StepDefinition[];
    /** Providers for which the step `api-keys` needs a usable key; empty: one key of any provider. */
    readonly requiredProviders: readonly ProviderId[];
  };
  /** The files in which local mode keeps keys besides KV. Undefined in production, which uses no such files. */
  readonly localFiles: LocalFiles | undefined;
};

/** A platform sets one of these in every process that it runs, and a developer's machine sets none of them. */
export const platformVariables = [
  'AWS_LAMBDA_FUNCTION_NAME',
  'LAMBDA_TASK_ROOT',
  'RENDER',
  'RAILWAY_ENVIRONMENT',
  'FLY_APP_NAME',
  'K_SERVICE',
  'KUBERNETES_SERVICE_HOST',
  'DYNO',
  'WEBSITE_INSTANCE_ID',
  'ECS_CONTAINER_METADATA_URI_V4',
] as const;

/**
 * Production if any variable shows a deployment, whatever `DEBUG` and `DEPLOY_ENV` say; otherwise what those two say,
 * and local by default. Empty variables count as unset. `loadConfig` starts local mode only with a KV store on this
 * machine, so a missing variable does not turn a deployment into local mode.
 *
 * @throws ConfigError naming `DEPLOY_ENV` and `DEBUG` when the two contradict each other.
 */
export function decideMode(env: Environment): Mode {
  const isOnVercel = env.VERCEL === '1' && env.VERCEL_ENV !== 'development';
  const isDeployed =
    env.VERCEL_ENV === 'production' ||
    env.VERCEL_ENV === 'preview' ||
    isOnVercel ||
    env.NODE_ENV === 'production' ||
    platformVariables.some((name) => Boolean(env[name]));
  if (isDeployed) return 'production';
  if ((env.DEPLOY_ENV || 'local') === 'local') return 'local';
  if (env.DEBUG !== 'true') return 'production';
  throw new ConfigError([
    { variable: 'DEPLOY_ENV', message: 'names a deployment, and DEBUG=true selects local mode' },
    { variable: 'DEBUG', message: 'remove it for a deployment, or remove DEPLOY_ENV for local mode' },
  ]);
}

const LOOPBACK_HOST = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

/** Whether a URL names this machine. `URL` writes every form of an IPv4 address, such as `127.1`, with four numbers. */
function isLoopback(url: string): boolean {
  return LOOPBACK_HOST.test(new URL(url).hostname);
}

const secureUrl = z.string('is missing').refine((text) => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.username || url.password || url.search || url.hash) return false;
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(text));
}, 'must be an https URL (http on a loopback host) without user, query or fragment');

/** Normalized by the URL parser, so that joined URLs can be compared with it. No trailing slash. */
const baseUrl = z
  .string()
  .trim()
  .pipe(secureUrl)
  .transform((text) => {
    const { origin, pathname } = new URL(text);
    return origin + pathname.replace(/\/+$/, '');
  });

const nonEmpty = z.string('is missing').min(1, 'is empty');

const list = z
  .string()
  .optional()
  .transform((text) => (text ?? '').split(',').flatMap((part) => part.trim() || []));

const origins = list.refine(
  (entries) => entries.every((entry) => URL.canParse(entry) && new URL(entry).origin === entry),
  'must be browser origins such as https://app.example, comma-separated, without path or trailing slash',
);

const wholeNumber = (fallback: number, min: number, max: number) => {
  const message = `must be a whole number from ${min} to ${max}`;
  return z
    .string()
    .regex(/^\d{1,9}$/, message)
    .transform(Number)
    .refine((value) => value >= min && value <= max, message)
    .default(fallback);
};

/** A PEM in a one-line setting has `\\n` in place of line breaks. */
const publicKey = z
  .string()
  .transform((text) => text.replaceAll('\\n', '\n'))
  .refine(looksLikePublicKey, 'must be a public key: PEM (BEGIN PUBLIC KEY) or a JWK of kty RSA, EC or OKP')
  .optional();

/** Parsed by `readVaultSettings`, because these variables depend on each other. */
const optionalText = z.string().optional();

const listOfProviders = list.pipe(
  z.array(z.enum(providerIds), 'must be provider ids, comma-separated, as listed by GET /api/providers'),
);

const variables = z.object({
  KV_REST_API_URL: secureUrl,
  KV_REST_API_TOKEN: nonEmpty,
  AUTH_ISSUER: secureUrl,
  AUTH_TENANT: z.string().refine(isTenant, 'must be 1 to 64 characters of A-Z, a-z, 0-9, _ and -').optional(),
  AUTH_JWKS_URL: secureUrl.optional(),
  AUTH_PUBLIC_KEY: publicKey,
  AUTH_AUDIENCE: list,
  AUTH_AUTHORIZED_PARTIES: list,
  AUTH_REFUSED_KIDS: list,
  AUTH_MAX_TOKEN_HOURS: wholeNumber(DEFAULT_TOKEN_LIFETIME_HOURS, 1, MAX_TOKEN_LIFETIME_HOURS),
  VAULT_KEYS: optionalText,
  VAULT_KEYS_KMS: optionalText,
  VAULT_KMS_KEY: optionalText,
  AWS_ROLE_ARN: optionalText,
  ALLOWED_ORIGINS: origins,
  RATE_LIMIT_PER_MINUTE: wholeNumber(DEFAULT_CALLS_PER_MINUTE, 1, MAX_CALLS_PER_MINUTE),
  MAX_CONCURRENT_CALLS: wholeNumber(DEFAULT_CONCURRENT_CALLS, 1, MAX_CONCURRENT_CALLS),
  PROVIDER_TIMEOUT_SECONDS: wholeNumber(DEFAULT_PROVIDER_TIMEOUT_SECONDS, 1, MAX_PROVIDER_TIMEOUT_SECONDS),
  ONBOARDING_STEPS: onboardingSteps,
  ONBOARDING_PROVIDERS: listOfProviders,
  ENV_FILE: z.string().default('.env'),
  FRONTEND_ENV_FILE: z.string().optional(),
  FRONTEND_ENV_NAME: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of a variable')
    .optional(),
  AUDIT_MAX_ENTRIES: wholeNumber(DEFAULT_AUDIT_ENTRIES, 1, MAX_AUDIT_ENTRIES),
  AUDIT_MAX_AGE_DAYS: wholeNumber(DEFAULT_AUDIT_AGE_DAYS, 1, MAX_AUDIT_AGE_DAYS),
  USAGE_MAX_AGE_DAYS: wholeNumber(DEFAULT_USAGE_AGE_DAYS, 1, MAX_USAGE_AGE_DAYS),
  USAGE_PRICES: priceTable,
  LOG_EVERY_CALL: z.enum(['true', 'false'], 'must be true or false').optional(),
  TRACE_CONTEXT_TO: listOfProviders,
  CRON_SECRET: z
    .string()
    .min(MIN_CRON_SECRET_CHARACTERS, `must have at least ${MIN_CRON_SECRET_CHARACTERS} characters`)
    .optional(),
});

const operatorVariables = variables
  .pick({
    KV_REST_API_URL: true,
    KV_REST_API_TOKEN: true,
    AUTH_ISSUER: true,
    AUTH_TENANT: true,
    AUDIT_MAX_ENTRIES: true,
    AUDIT_MAX_AGE_DAYS: true,
    ONBOARDING_STEPS: true,
  })
  .partial({ AUTH_ISSUER: true });

/** Every variable of the schema. A test compares them with .env.example. */
export const configVariables: readonly string[] = Object.keys(variables.shape);

/** `OPENAI_BASE_URL` for `openai`, and so on. */
export function baseUrlVariable(provider: ProviderId): string {
  return `${provider.toUpperCase()}_BASE_URL`;
}

/**
 * The whole configuration, frozen. Empty variables count as unset.
 *
 * @throws ConfigError naming every variable that is missing or malformed, or that the mode does not allow.
 */
export function loadConfig(env: Environment = process.env): Config {
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const parsed = variables.safeParse(set);
  const overrides = providerIds.flatMap((provider) => {
    const value = set[baseUrlVariable(provider)];
    return value === undefined ? [] : [{ provider, base: baseUrl.safeParse(value) }];
  });
  const vault = readVaultSettings(set);
  const issues = [
    ...describeIssues(parsed),
    ...vault.issues,
    ...overrides
      .filter(({ base }) => !base.success)
      .map(({ provider }) => ({ variable: baseUrlVariable(provider), message: 'must be an https URL' })),
  ];
  if (!parsed.success || issues.length > 0) throw new ConfigError(issues);

  const values = parsed.data;
  const mode = decideMode(set);
  const modeIssues = mode === 'local' ? issuesOfLocalMode(values) : issuesOfProduction(values);
  if (modeIssues.length > 0) throw new ConfigError(modeIssues);
  return Object.freeze({
    mode,
    kv: readKv(values),
    auth: Object.freeze({
      issuer: values.AUTH_ISSUER,
      tenant: values.AUTH_TENANT,
      jwksUrl: values.AUTH_JWKS_URL ?? `${values.AUTH_ISSUER.replace(/\/+$/, '')}/.well-known/jwks.json`,
      publicKey: values.AUTH_PUBLIC_KEY,
      audience: values.AUTH_AUDIENCE,
      authorizedParties: values.AUTH_AUTHORIZED_PARTIES,
      refusedKids: values.AUTH_REFUSED_KIDS,
      maxTokenSeconds: values.AUTH_MAX_TOKEN_HOURS * HOUR_SECONDS,
    }),
    ...vault.settings,
    allowedOrigins: values.ALLOWED_ORIGINS,
    rateLimitPerMinute: values.RATE_LIMIT_PER_MINUTE,
    maxConcurrentCalls: values.MAX_CONCURRENT_CALLS,
    providerTimeoutMs: values.PROVIDER_TIMEOUT_SECONDS * 1000,
    cronSecret: values.CRON_SECRET === undefined ? undefined : new Secret(values.CRON_SECRET),
    audit: readAuditBounds(values),
    usage: Object.freeze({ maxAgeDays: values.USAGE_MAX_AGE_DAYS, prices: values.USAGE_PRICES }),
    logsEveryCall: values.LOG_EVERY_CALL === 'true',
    isTraced: isTraced(set),
    traceContextTo: values.TRACE_CONTEXT_TO,
    baseUrls: new Map(
      overrides.flatMap(({ provider, base }) => (base.success ? [[provider, base.data] as const] : [])),
    ),
    onboarding: Object.freeze({
      steps: values.ONBOARDING_STEPS,
      requiredProviders: values.ONBOARDING_PROVIDERS,
    }),
    localFiles: mode === 'local' ? localFiles(values) : undefined,
  });
}

/** A store elsewhere belongs to a deployment, where local mode would write one user's key to a file for all of them. */
function issuesOfLocalMode({ KV_REST_API_URL }: z.infer<typeof variables>) {
  if (isLoopback(KV_REST_API_URL)) return [];
  const message = 'is not on this machine, which local mode needs; set DEPLOY_ENV for a deployment';
  return [{ variable: 'KV_REST_API_URL', message }];
}

/** An issuer may serve several apps. Without one of these, a token for another app would be accepted. */
function issuesOfProduction(values: z.infer<typeof variables>) {
  if (values.AUTH_AUDIENCE.length > 0 || values.AUTH_AUTHORIZED_PARTIES.length > 0) return [];
  return [
    {
      variable: 'AUTH_AUDIENCE',
      message:
        'is missing, and production needs it or AUTH_AUTHORIZED_PARTIES; set it to the `aud` of session tokens',
    },
    {
      variable: 'AUTH_AUTHORIZED_PARTIES',
      message: 'is missing too; or set it to the `azp` of session tokens',
    },
  ];
}

/** Any `OTEL_*` variable, or Vercel's variable for its collector, enables tracing. */
function isTraced(env: Environment): boolean {
  if (env.OTEL_SDK_DISABLED === 'true') return false;
  return Object.keys(env).some((name) => name.startsWith('OTEL_') || name === 'VERCEL_OTEL_ENDPOINTS');
}

/** @throws ConfigError when only one of the two frontend variables is set. */
function localFiles(values: z.infer<typeof variables>): LocalFiles {
  const { ENV_FILE: envFile, FRONTEND_ENV_FILE: frontendFile, FRONTEND_ENV_NAME: variable } = values;
  if (frontendFile !== undefined && variable !== undefined) {
    return { envFile, frontend: { envFile: frontendFile, variable } };
  }
  const missing = frontendFile === undefined ? 'FRONTEND_ENV_FILE' : 'FRONTEND_ENV_NAME';
  if (frontendFile === variable) return { envFile, frontend: undefined };
  throw new ConfigError([{ variable: missing, message: 'is missing; the other of the two is set' }]);
}

const publicJwk = z.object({ kty: z.enum(['RSA', 'EC', 'OKP']), d: z.never().optional() });

function looksLikePublicKey(text: string): boolean {
  if (!text.trimStart().startsWith('{')) return /^\s*-----BEGIN PUBLIC KEY-----/.test(text);
  try {
    return publicJwk.safeParse(JSON.parse(text)).success;
  } catch {
    return false;
  }
}

export type OperatorConfig = Pick<Config, 'kv' | 'audit' | keyof VaultSettings> & {
  readonly auth: TenantSettings;
  readonly onboarding: Pick<Config['onboarding'], 'steps'>;
};

/**
 * The settings that the operator's commands need. They are the same for every mode, because these commands run on the
 * operator's machine and work on a deployment's store.
 *
 * @throws ConfigError naming every variable that is missing or malformed.
 */
export function loadVaultConfig(env: Environment): OperatorConfig {
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const parsed = operatorVariables.safeParse(set);
  const { settings, issues } = readVaultSettings(set);
  const hasTenant = set.AUTH_ISSUER !== undefined || set.AUTH_TENANT !== undefined;
  const allIssues = [...describeIssues(parsed), ...(hasTenant ? [] : [TENANT_MISSING]), ...issues];
  if (!parsed.success || allIssues.length > 0) throw new ConfigError(allIssues);
  const { AUTH_ISSUER: issuer, AUTH_TENANT: tenant } = parsed.data;
  return Object.freeze({
    kv: readKv(parsed.data),
    auth: { issuer, tenant },
    audit: readAuditBounds(parsed.data),
    onboarding: Object.freeze({ steps: parsed.data.ONBOARDING_STEPS }),
    ...settings,
  });
}

/** Users' data is found by the tenant. */
const TENANT_MISSING = {
  variable: 'AUTH_ISSUER',
  message: 'is missing; set it, or AUTH_TENANT, to the value that the deployment has',
};

function describeIssues(parsed: z.ZodSafeParseResult<unknown>) {
  return (parsed.success ? [] : parsed.error.issues).map((issue) => ({
    variable: String(issue.path[0]),
    message: issue.message,
  }));
}

function readAuditBounds(values: z.infer<typeof operatorVariables>): AuditBounds {
  return Object.freeze({ maxEntries: values.AUDIT_MAX_ENTRIES, maxAgeDays: values.AUDIT_MAX_AGE_DAYS });
}

function readKv(values: { readonly KV_REST_API_URL: string; readonly KV_REST_API_TOKEN: string }) {
  return Object.freeze({
    url: values.KV_REST_API_URL.replace(/\/+$/, ''),
    token: new Secret(values.KV_REST_API_TOKEN),
  });
}
