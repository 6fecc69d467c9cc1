/** Writes the sealed records of many users directly into a store. */
import { Problem } from '../../lib/errors.ts';
import type { UserId } from '../../lib/identity/user-id.ts';
import { createKv, type Kv } from '../../lib/kv/kv.ts';
import { combineQueries } from '../../lib/kv/query.ts';
import { createUndiciSend } from '../../lib/outgoing/undici-send.ts';
import type { ProviderId } from '../../lib/providers/catalogue.ts';
import { Secret } from '../../lib/secret.ts';
import { sealKey } from '../../lib/vault/envelope.ts';
import { hintOf, type KeyRecord } from '../../lib/vault/key-record.ts';
import { type KeyRing, loadKeyRing } from '../../lib/vault/key-ring.ts';
import { replaceRecord } from '../../lib/vault/records.ts';
import { userId } from '../support/user-ids.ts';

const USERS_PER_REQUEST = 500;

export function connect({ url, token }: { readonly url: string; readonly token: string }): Kv {
  return createKv({ url, token: new Secret(token) }, createUndiciSend());
}

export function ringOf(...masterKeys: readonly string[]): Promise<KeyRing> {
  return loadKeyRing({ vaultKeys: new Secret(masterKeys.join(',')), wrappedKeys: undefined });
}

export async function sealedRecord(
  ring: KeyRing,
  user: UserId,
  provider: ProviderId,
  key: string,
): Promise<KeyRecord> {
  const jwe = await sealKey(ring, { user, provider }, new Secret(key));
  const at = '2026-01-02T03:04:05.678Z';
  return { v: 1, jwe, hint: hintOf(key), status: 'valid', version: 1, createdAt: at, updatedAt: at };
}

/** Stores `keyOf(user, provider)` for every user and provider. */
export async function fillStore(
  kv: Kv,
  ring: KeyRing,
  users: readonly string[],
  providers: readonly ProviderId[],
  keyOf: (user: string, provider: ProviderId) => string,
): Promise<void> {
  for (let from = 0; from < users.length; from += USERS_PER_REQUEST) {
    const writes = await Promise.all(
      users.slice(from, from + USERS_PER_REQUEST).flatMap((sub) =>
        providers.map(async (provider) => {
          const user = userId(sub);
          const record = await sealedRecord(ring, user, provider, keyOf(sub, provider));
          return replaceRecord(user, provider, undefined, record);
        }),
      ),
    );
    const outcomes = await kv.run(combineQueries(...writes));
    if (outcomes.includes('retired')) throw new Problem('deployment_outdated');
  }
}
