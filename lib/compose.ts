/**
 * Composes the parts of a deployment for one configuration. Every part is created on its first use, so that a cold
 * start loads only what its route needs.
 */
import type { Config } from './config.ts';
import { ConfigError, Problem } from './errors.ts';
import type { App } from './http/call.ts';
import { findToken } from './identity/find-token.ts';
import type { VerifyToken } from './identity/verify-token.ts';
import type { Kv } from './kv/kv.ts';
import { lazy } from './lazy.ts';
import type { LocalKeys } from './local/local-keys.ts';
import type { Send } from './outgoing/send.ts';
import type { Tracing } from './telemetry/tracing.ts';
import type { ImportMasterKey } from './vault/cipher.ts';
import type { UnwrapKeys } from './vault/wrapped-keys.ts';

/** What differs between runtimes. */
export type Runtime = {
  readonly send: Send;
  /** Default: `send`. */
  readonly sendToKv?: Send;
  /** Takes work that may go on after the response. */
  readonly after: (work: Promise<unknown>) => void;
  readonly clock?: () => Date;
  /** Default: `/api`. */
  readonly basePath?: string;
  /** The keys in `.env`, in local mode only. */
  readonly localKeys?: LocalKeys | undefined;
  /** Where OpenTelemetry is configured. */
  readonly tracing?: Tracing | undefined;
  /** Opens the keys of `VAULT_KEYS_KMS`, where this runtime can. */
  readonly unwrapKeys?: UnwrapKeys;
  /** Default: WebCrypto. */
  readonly importMasterKey?: ImportMasterKey;
};

const DEFAULT_BASE_PATH = '/api';

/**
 * Nothing is opened here: a part whose settings are wrong throws ConfigError on its first use, as `loadKeyRing` and
 * `createPublicKey` document.
 */
export function composeApp(
  config: Config,
  {
    send,
    sendToKv = send,
    after,
    clock = () => new Date(),
    basePath = DEFAULT_BASE_PATH,
    localKeys,
    tracing,
    unwrapKeys,
    importMasterKey,
  }: Runtime,
): App {
  const ring = lazy(async () => {
    const { loadKeyRing } = await import('./vault/key-ring.ts');
    return loadKeyRing(config, unwrapKeys, importMasterKey);
  });
  const store = lazy(async () => (await import('./kv/kv.ts')).createKv(config.kv, sendToKv));
  const kv: Kv = { run: async (query) => (await store()).run(query) };
  const verifier = lazy(() => createVerifier(config.auth, send, clock));
  const admission = lazy(() => import('./guards/rate-limit.ts'));
  const journals = lazy(async () => {
    const { createJournals } = await import('./audit/journal.ts');
    const bounds = { audit: config.audit, usageMaxAgeDays: config.usage.maxAgeDays };
    return createJournals({ kv, after, clock, bounds });
  });
  const scopes = lazy(async () => (await import('./keys/key-scope.ts')).openKeyScope);

  return {
    config,
    basePath,
    kv,
    ring,
    send,
    clock,
    localKeys,
    tracing,

    async authenticate(request, tokenHeader) {
      const found = findToken(request.headers, tokenHeader);
      if (found === undefined) {
        throw new Problem('token_missing', {
          reason: 'session_token_missing',
          headers: { 'www-authenticate': 'Bearer' },
        });
      }
      const verify = await verifier();
      return verify(found.token, clock());
    },

    async admit(user, query) {
      const { admitCall } = await admission();
      return admitCall(kv, user, query, { callsPerMinute: config.rateLimitPerMinute, now: clock() });
    },

    async admitWrite(user, write) {
      const { admitWrite } = await admission();
      return admitWrite(kv, user, write, { callsPerMinute: config.rateLimitPerMinute, now: clock() });
    },

    openJournal: async (call) => (await journals())(call),

    async openKeys(user, providers, use) {
      const [open, opened] = await Promise.all([scopes(), ring()]);
      const { rateLimitPerMinute: callsPerMinute, maxConcurrentCalls, audit: auditBounds } = config;
      const limits = { callsPerMinute, maxConcurrentCalls };
      const parts = { kv, ring: opened, localKeys, limits, auditBounds, basePath, clock };
      return open(parts, user, providers, use);
    },
  };
}

async function createVerifier(settings: Config['auth'], send: Send, clock: () => Date): Promise<VerifyToken> {
  const { tenantOf } = await import('./identity/user-id.ts');
  const auth = { ...settings, tenant: await tenantOf(settings) };
  const { createTokenVerifier } = await import('./identity/verify-token.ts');
  if (auth.publicKey === undefined) {
    const { createIssuerKeys } = await import('./identity/issuer-keys.ts');
    return createTokenVerifier(
      auth,
      createIssuerKeys(auth, send, () => clock().getTime()),
    );
  }
  const { createPublicKey } = await import('./identity/public-key.ts');
  const findKey = await createPublicKey(auth.publicKey, auth.refusedKids).catch(() => {
    const message =
      'must be a key for signatures, with 2,048 bits or more if RSA, and not in AUTH_REFUSED_KIDS';
    throw new ConfigError([{ variable: 'AUTH_PUBLIC_KEY', message }]);
  });
  return createTokenVerifier(auth, findKey);
}
