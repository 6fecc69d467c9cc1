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
  DEFAULT_PROVIDER_TIMEOUT_SECONDS,
  DEFAULT_USAGE_AGE_DAYS,
  MAX_AUDIT_AGE_DAYS,
  MAX_AUDIT_ENTRIES,
  MAX_CALLS_PER_MINUTE,
  MAX_PROVIDER_TIMEOUT_SECONDS,
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
    /** Accepted `aud` values; empty: any. */
    readonly audience: readonly string[];
    /** Accepted `azp` values; empty: any. */
    readonly authorizedParties: readonly string[];
  };
  readonly allowedOrigins: readonly string[];
  readonly rateLimitPerMinute: number;
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

/**
 * Local only if no variable indicates a deployment. Platform variables come first, because Vercel sets `VERCEL_*` only
 * when a project setting enables them: a missing variable must not switch a deployment to local mode.
 */
export function decideMode(env: Environment): Mode {
  const deployed =
    env.VERCEL_ENV === 'production' ||
    env.VERCEL_ENV === 'preview' ||
    env.NODE_ENV === 'production' ||
    Boolean(env.AWS_LAMBDA_FUNCTION_NAME) ||
    Boolean(env.LAMBDA_TASK_ROOT);
  if (deployed) return 'production';
  if (env.DEBUG === 'true') return 'local';
  return (env.DEPLOY_ENV || 'local') === 'local' ? 'local' : 'production';
}

const LOOPBACK_HOSTS = new Set(['localhost', '127.0.0.1', '[::1]']);

const secureUrl = z.string('is missing').refine((text) => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.username || url.password || url.search || url.hash) return false;
  return url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK_HOSTS.has(url.hostname));
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
  VAULT_KEYS: optionalText,
  VAULT_KEYS_KMS: optionalText,
  VAULT_KMS_KEY: optionalText,
  AWS_ROLE_ARN: optionalText,
  ALLOWED_ORIGINS: origins,
  RATE_LIMIT_PER_MINUTE: wholeNumber(DEFAULT_CALLS_PER_MINUTE, 1, MAX_CALLS_PER_MINUTE),
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
 * @throws ConfigError naming every variable that is missing or malformed.
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
  const mode = decideMode(env);
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
    }),
    ...vault.settings,
    allowedOrigins: values.ALLOWED_ORIGINS,
    rateLimitPerMinute: values.RATE_LIMIT_PER_MINUTE,
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

/** The settings that the operator's commands need: the store, the tenant, the master keys and the bounds of audit logs. */
export function loadVaultConfig(
  env: Environment,
): Pick<Config, 'kv' | 'audit' | keyof VaultSettings> & { readonly auth: TenantSettings } {
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
