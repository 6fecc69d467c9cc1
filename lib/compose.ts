/** Putting the parts together for one configuration. Everything a part needs is handed to it here. */
import { type Account, createAccount } from './handlers/account.ts';
import { createJournals } from './audit/journal.ts';
import { type Config, ConfigError } from './config.ts';
import { Problem } from './errors.ts';
import type { Gate } from './http/endpoint.ts';
import { findToken } from './identity/find-token.ts';
import { createIssuerKeys } from './identity/issuer-keys.ts';
import { createPublicKey } from './identity/public-key.ts';
import { createTokenVerifier } from './identity/verify-token.ts';
import { createHoldKeys } from './keys/stored-keys.ts';
import { createKeys, type Keys } from './handlers/key.ts';
import { createKv, type Kv } from './kv/kv.ts';
import { nothing } from './kv/nothing.ts';
import { type Admit, createAdmit } from './limits/admit.ts';
import type { LocalKeys } from './local/local-keys.ts';
import { createOnboarding, type Onboarding } from './handlers/onboarding.ts';
import { openKeyRing } from './open-key-ring.ts';
import type { Send } from './outgoing/send.ts';
import type { Via } from './gateway/forward.ts';
import type { Tracing } from './telemetry/tracing.ts';
import { createUseKeys, type UseKeys } from './keys/key-scope.ts';
import type { KeyRing } from './vault/key-ring.ts';
import type { UnwrapKeys } from './vault/wrapped-keys.ts';

export type Runtime = {
  readonly send: Send;
  /** Default: `send`. */
  readonly sendToKv?: Send;
  /** Work that may outlive the response. */
  readonly after: (work: Promise<unknown>) => void;
  readonly clock?: () => Date;
  /** The keys in `.env`, in local mode alone. */
  readonly localKeys?: LocalKeys | undefined;
  /** Where OpenTelemetry is configured. */
  readonly tracing?: Tracing | undefined;
  /** Opens the keys of `VAULT_KEYS_KMS`, where this runtime can. */
  readonly unwrapKeys?: UnwrapKeys;
};

export type App = Gate & {
  readonly config: Config;
  readonly kv: Kv;
  readonly ring: KeyRing;
  readonly clock: () => Date;
  readonly admit: Admit;
  readonly keys: Keys;
  readonly onboarding: Onboarding;
  readonly account: Account;
  readonly via: Via;
  /**
   * Runs `fn` with the user's own keys of these providers: counts the call, applies the user's guards and fetches
   * the sealed keys in one KV request, opens what `fn` asks for, forgets.
   */
  readonly useKeys: UseKeys;
};

/**
 * @throws ConfigError when `AUTH_PUBLIC_KEY` cannot be read as a key, or a master key cannot be opened. Problem
 *   `vault_unavailable` when what opens the master keys does not answer.
 */
export async function composeApp(
  config: Config,
  { send, sendToKv = send, after, clock = () => new Date(), localKeys, tracing, unwrapKeys }: Runtime,
): Promise<App> {
  const { auth } = config;
  const findKey = auth.publicKey
    ? await createPublicKey(auth.publicKey).catch(() => {
        throw new ConfigError([{ variable: 'AUTH_PUBLIC_KEY', complaint: 'cannot be read as a public key' }]);
      })
    : createIssuerKeys(auth.jwksUrl, send, () => clock().getTime());
  const verifyToken = createTokenVerifier(auth, findKey);
  const ring = await openKeyRing(config, unwrapKeys);
  const kv = createKv(config.kv, sendToKv);
  const admit = createAdmit(kv, config.rateLimitPerMinute, clock);
  const holdKeys = createHoldKeys(ring, localKeys);
  const openJournal = createJournals({
    ...{ kv, after, clock },
    bounds: { audit: config.audit, usageMaxAgeDays: config.usage.maxAgeDays },
  });
  const via = { send, baseUrls: config.baseUrls, providerTimeoutMs: config.providerTimeoutMs };

  return {
    config,
    kv,
    ring,
    clock,
    via,
    admit,
    keys: createKeys({ kv, ring, admit, holdKeys, localKeys, via, clock }),
    onboarding: createOnboarding({ ...config.onboarding, kv, admit, holdKeys, clock }),
    account: createAccount({ kv, admit, localKeys, clock }),
    allowedOrigins: config.allowedOrigins,
    logsEveryCall: config.logsEveryCall,
    openJournal,
    tracing,

    async authenticate(request, tokenHeader) {
      const found = findToken(request.headers, tokenHeader);
      if (found === undefined)
        throw new Problem('token_missing', { headers: { 'www-authenticate': 'Bearer' } });
      return verifyToken(found.token, clock());
    },

    async countRefused(user) {
      await admit(user, nothing);
    },

    useKeys: createUseKeys({
      ...{ kv, ring, localKeys, openJournal, after, clock },
      callsPerMinute: config.rateLimitPerMinute,
    }),
  };
}
