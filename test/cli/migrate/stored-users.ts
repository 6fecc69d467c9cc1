/** What the functions themselves find for a user, with their own code. */
import type { Config } from '../../../lib/config.ts';
import { loadConfig } from '../../../lib/config.ts';
import { openStoredKeys } from '../../../lib/keys/stored-keys.ts';
import { callStart } from '../../../lib/kv/erasure.ts';
import { createKv } from '../../../lib/kv/kv.ts';
import { describeSession } from '../../../lib/onboarding/advance.ts';
import type { OnboardingState } from '../../../lib/onboarding/onboarding-schema.ts';
import { startSession } from '../../../lib/onboarding/session.ts';
import { createUndiciSend } from '../../../lib/outgoing/undici-send.ts';
import { type ProviderId, providerIds } from '../../../lib/providers/catalogue.ts';
import { Secret } from '../../../lib/secret.ts';
import { sealKey } from '../../../lib/vault/envelope.ts';
import type { KeyRecord } from '../../../lib/vault/key-record.ts';
import { loadKeyRing } from '../../../lib/vault/key-ring.ts';
import { readRecords, replaceRecord } from '../../../lib/vault/records.ts';
import { runWrite } from '../../support/run-write.ts';
import { userId } from '../../support/user-ids.ts';

export type Stored = Awaited<ReturnType<typeof openStored>>;

export async function openStored(env: Readonly<Record<string, string>>) {
  const config: Config = loadConfig(env);
  const kv = createKv(config.kv, createUndiciSend());
  const ring = await loadKeyRing({ vaultKeys: config.vaultKeys, wrappedKeys: undefined });
  const { steps, requiredProviders } = config.onboarding;
  return {
    kv,
    /** The user's keys, opened, by provider. */
    async keysOf(name: string): Promise<Readonly<Record<string, string | undefined>>> {
      const user = userId(name);
      const records = await kv.run(readRecords(user, providerIds));
      const keys = await openStoredKeys({ ring, localKeys: undefined }, user, providerIds, records);
      return Object.fromEntries(keys.map(({ metadata, key }) => [metadata.provider, key?.reveal()]));
    },
    async recordOf(name: string, provider: ProviderId): Promise<KeyRecord | undefined> {
      return (await kv.run(readRecords(userId(name), [provider]))).get(provider)?.record;
    },
    async sessionOf(name: string): Promise<OnboardingState> {
      const user = userId(name);
      const ids = steps.map(({ id }) => id);
      return describeSession(
        steps,
        requiredProviders,
        await kv.run(runWrite(startSession(user, ids, callStart(user, new Date())))),
      );
    },
    /** Stores a key as if its owner had saved it at that time. */
    async save(name: string, provider: ProviderId, key: string, at: Date): Promise<void> {
      const user = userId(name);
      const former = (await kv.run(readRecords(user, [provider]))).get(provider);
      const jwe = await sealKey(ring, { user, provider }, new Secret(key));
      const times = { createdAt: at.toISOString(), updatedAt: at.toISOString() };
      const record: KeyRecord = { v: 1, jwe, hint: '', status: 'valid', version: 1, ...times };
      await kv.run(replaceRecord(user, provider, former?.text, record));
    },
  };
}
