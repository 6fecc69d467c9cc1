/**
 * The issuer's public keys, from its JWKS endpoint. They are public, so they are kept between invocations. jose's own
 * remote set has no size limit and drops its keys when the issuer is down, so this one is our own.
 */
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWK, type JWTVerifyGetKey } from 'jose';
import { z } from 'zod';
import { Problem, type Reason } from '../errors.ts';
import {
  JWKS_COOLDOWN_MS,
  JWKS_FRESH_MS,
  JWKS_OLD_MS,
  JWKS_RETRY_MS,
  JWKS_STALE_MS,
  JWKS_TIMEOUT_MS,
  MAX_JWKS_BYTES,
  MAX_JWKS_KEYS,
} from '../limits.ts';
import { log } from '../log.ts';
import { readWithLimit } from '../outgoing/body.ts';
import { type Send, SendError } from '../outgoing/send.ts';
import { isWeakRsa } from './public-key.ts';
import { invalidToken } from './token-policy.ts';

type FetchedKeys = {
  readonly find: JWTVerifyGetKey;
  /** The `kid`s of keys that are not used, because the issuer published more than their public half. */
  readonly privateKids: ReadonlySet<string | undefined>;
  readonly fetchedAt: number;
};
type Failure = { readonly reason: Reason; readonly at: number };

const jwksForm = z.object({ keys: z.array(z.looseObject({ kty: z.string() })).max(MAX_JWKS_KEYS) });
/** Members of a private or a symmetric key (RFC 7518, section 6). Whoever can read the set could sign tokens with it. */
const SECRET_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];
/** A key that can verify a signature. A set without one replaces no earlier set: the issuer's answer is broken. */
const usableKey = z.discriminatedUnion('kty', [
  z.looseObject({ kty: z.literal('RSA'), n: z.string(), e: z.string() }),
  z.looseObject({ kty: z.literal('EC'), crv: z.string(), x: z.string(), y: z.string() }),
  z.looseObject({ kty: z.literal('OKP'), crv: z.string(), x: z.string() }),
]);

/**
 * Finds the key for a token's header. Fetched keys are used for ten minutes and then renewed in the background; after
 * an hour callers wait for the renewal. An unknown `kid` causes a fetch at most every 30 seconds. While the issuer is
 * down the former keys stay in use, until they are two hours old. Keys of `refusedKids` are never used, also for a token
 * that names no `kid`.
 *
 * @throws Problem `issuer_unavailable` when the answer would need keys that cannot be fetched now; Problem
 *   `token_invalid` when the token's key is private or too short; jose's errors when the keys are there and none fits.
 */
export function createIssuerKeys(
  { jwksUrl, refusedKids }: { readonly jwksUrl: string; readonly refusedKids: readonly string[] },
  send: Send,
  clock: () => number = Date.now,
): JWTVerifyGetKey {
  let fetched: FetchedKeys | undefined;
  let underWay: Promise<void> | undefined;
  let failure: Failure | undefined;
  let fetchedForUnknownKidAt = Number.NEGATIVE_INFINITY;

  const refresh = () => {
    underWay ??= fetchKeys(jwksUrl, send)
      .then(({ keys }) => {
        const offered = keys.filter(({ kid }) => kid === undefined || !refusedKids.includes(kid));
        fetched = {
          find: createLocalJWKSet({ keys: offered.filter((key) => !isPrivate(key)) }),
          privateKids: new Set(offered.filter(isPrivate).map(({ kid }) => kid)),
          fetchedAt: clock(),
        };
        failure = undefined;
      })
      .catch((error: unknown) => {
        failure = { reason: reasonOf(error), at: clock() };
        log({ level: 'warn', event: 'issuer_keys_unavailable', reason: failure.reason });
      })
      .finally(() => {
        underWay = undefined;
      });
    return underWay;
  };

  const current = async (): Promise<FetchedKeys> => {
    const ageMs = fetched === undefined ? Number.POSITIVE_INFINITY : clock() - fetched.fetchedAt;
    const mayTry = failure === undefined || clock() - failure.at >= JWKS_RETRY_MS;
    if (ageMs >= JWKS_FRESH_MS && mayTry) {
      const refreshed = refresh();
      // While the former keys can be used, callers do not wait for an issuer that hangs.
      const isOld = ageMs >= JWKS_OLD_MS && failure === undefined;
      if (isOld || ageMs > JWKS_STALE_MS) await refreshed;
    }
    if (fetched === undefined || clock() - fetched.fetchedAt > JWKS_STALE_MS) throw unavailable(failure);
    return fetched;
  };

  const find: JWTVerifyGetKey = async (header, token) => {
    const keys = await current();
    if (header.kid !== undefined && keys.privateKids.has(header.kid)) throw invalidToken('token_key_private');
    try {
      return await keys.find(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      if (underWay !== undefined) await underWay;
      else if (clock() - fetchedForUnknownKidAt >= JWKS_COOLDOWN_MS) {
        fetchedForUnknownKidAt = clock();
        await refresh();
      }
      if (failure !== undefined) throw unavailable(failure);
      return (await current()).find(header, token);
    }
  };

  return async (header, token) => {
    const key = await find(header, token);
    if (isWeakRsa(key)) throw invalidToken('token_key_weak');
    return key;
  };
}

function isPrivate(key: JWK): boolean {
  return SECRET_MEMBERS.some((member) => Object.hasOwn(key, member));
}

async function fetchKeys(url: string, send: Send): Promise<JSONWebKeySet> {
  const answer = await send({
    method: 'GET',
    url,
    headers: { accept: 'application/jwk-set+json, application/json' },
    signal: AbortSignal.timeout(JWKS_TIMEOUT_MS),
    answerTimeoutMs: JWKS_TIMEOUT_MS,
    idleTimeoutMs: JWKS_TIMEOUT_MS,
  });
  const bytes = await readWithLimit(answer.body, MAX_JWKS_BYTES);
  if (answer.status !== 200) throw new UnusableAnswer('issuer_status_unexpected');
  if (bytes === undefined) throw new UnusableAnswer('issuer_keys_too_large');
  const jwks = jwksForm.parse(JSON.parse(new TextDecoder().decode(bytes)));
  if (!jwks.keys.some((key) => usableKey.safeParse(key).success)) {
    throw new UnusableAnswer('issuer_keys_unusable');
  }
  return jwks;
}

class UnusableAnswer extends Error {
  readonly reason: Reason;

  constructor(reason: Reason) {
    super(reason);
    this.reason = reason;
  }
}

function reasonOf(error: unknown): Reason {
  if (error instanceof UnusableAnswer) return error.reason;
  if (!(error instanceof SendError)) return 'issuer_keys_malformed';
  // The deadline of the whole fetch aborts it.
  return error.reason === 'unreachable' ? 'issuer_unreachable' : 'issuer_timeout';
}

function unavailable(failure: Failure | undefined): Problem {
  return new Problem('issuer_unavailable', {
    reason: failure?.reason ?? 'issuer_unreachable',
    headers: { 'retry-after': '5' },
  });
}
