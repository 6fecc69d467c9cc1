/**
 * The issuer's public keys, from its JWKS endpoint. Public data: the one thing kept between invocations.
 * jose's own remote set has no size limit and forgets its keys when the issuer is down, so this one is ours.
 */
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import { z } from 'zod';
import {
  JWKS_COOLDOWN_MS,
  JWKS_FRESH_MS,
  JWKS_MAX_BYTES,
  JWKS_OLD_MS,
  JWKS_RETRY_MS,
  JWKS_STALE_MS,
  JWKS_TIMEOUT_MS,
} from '../limits.ts';
import { Problem } from '../errors.ts';
import { log } from '../log.ts';
import { readCapped } from '../outgoing/read-capped.ts';
import type { Send } from '../outgoing/send.ts';

type Held = { readonly find: JWTVerifyGetKey; readonly fetchedAt: number };

const jwksForm = z.object({ keys: z.array(z.looseObject({ kty: z.string() })).max(100) });
/** A key that can verify something. A set without one is an issuer that is not itself, and replaces nothing. */
const usableKey = z.discriminatedUnion('kty', [
  z.looseObject({ kty: z.literal('RSA'), n: z.string(), e: z.string() }),
  z.looseObject({ kty: z.literal('EC'), crv: z.string(), x: z.string(), y: z.string() }),
  z.looseObject({ kty: z.literal('OKP'), crv: z.string(), x: z.string() }),
]);

/**
 * Finds the key for a token's header. Fetched keys are used for ten minutes and then renewed behind the callers'
 * backs, after an hour before their eyes; an unknown `kid` asks again, at most every 30 seconds; while the issuer
 * is down the former keys serve on, for a day at most.
 *
 * @throws Problem `issuer_unavailable` when the answer would need keys that cannot be fetched now; jose's
 *   errors when the keys are there and none fits.
 */
export function createIssuerKeys(url: string, send: Send, clock: () => number = Date.now): JWTVerifyGetKey {
  let held: Held | undefined;
  let underWay: Promise<void> | undefined;
  let failedAt: number | undefined;
  let askedForUnknownAt = Number.NEGATIVE_INFINITY;

  const refresh = () => {
    underWay ??= fetchKeys(url, send)
      .then((jwks) => {
        held = { find: createLocalJWKSet(jwks), fetchedAt: clock() };
        failedAt = undefined;
      })
      .catch(() => {
        failedAt = clock();
        log({ level: 'warn', event: 'issuer_keys_unavailable' });
      })
      .finally(() => {
        underWay = undefined;
      });
    return underWay;
  };

  const current = async (): Promise<Held> => {
    const ageMs = held === undefined ? Number.POSITIVE_INFINITY : clock() - held.fetchedAt;
    const mayTry = failedAt === undefined || clock() - failedAt >= JWKS_RETRY_MS;
    if (ageMs >= JWKS_FRESH_MS && mayTry) {
      const refreshed = refresh();
      // Keys that can still be used are: nobody waits for an issuer that hangs.
      const isOld = ageMs >= JWKS_OLD_MS && failedAt === undefined;
      if (isOld || ageMs > JWKS_STALE_MS) await refreshed;
    }
    if (held === undefined || clock() - held.fetchedAt > JWKS_STALE_MS) throw issuerUnavailable();
    return held;
  };

  return async (header, token) => {
    const keys = await current();
    try {
      return await keys.find(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      if (underWay !== undefined) await underWay;
      else if (clock() - askedForUnknownAt >= JWKS_COOLDOWN_MS) {
        askedForUnknownAt = clock();
        await refresh();
      }
      if (failedAt !== undefined) throw issuerUnavailable();
      return (await current()).find(header, token);
    }
  };
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
  const bytes = await readCapped(answer.body, JWKS_MAX_BYTES);
  if (answer.status !== 200 || bytes === undefined) throw new Error('no key set');
  const jwks = jwksForm.parse(JSON.parse(new TextDecoder().decode(bytes)));
  if (!jwks.keys.some((key) => usableKey.safeParse(key).success)) throw new Error('no usable key');
  return jwks;
}

function issuerUnavailable(): Problem {
  return new Problem('issuer_unavailable', { headers: { 'retry-after': '5' } });
}
