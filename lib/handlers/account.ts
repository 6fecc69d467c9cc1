/** A user's account as a whole: everything that is stored about them, to be seen and to be erased. */
import { Problem } from '../errors.ts';
import type { UserId } from '../identity/user-id.ts';
import { callStart, countErasures, MARK_LIFETIME_SECONDS } from '../kv/erasure.ts';
import type { Kv } from '../kv/kv.ts';
import { nothing } from '../kv/nothing.ts';
import type { Admit } from '../limits/admit.ts';
import type { LocalKeys } from '../local/local-keys.ts';
import { providerIds } from '../providers/catalogue.ts';
import { eraseUser } from '../account/erase-user.ts';
import { exportUser, type UserExport } from '../account/export-user.ts';

export type AccountDependencies = {
  readonly kv: Kv;
  readonly admit: Admit;
  readonly localKeys: LocalKeys | undefined;
  readonly clock: () => Date;
};

export type Account = ReturnType<typeof createAccount>;

/** An erasure takes the call counters with it, so that erasing itself has a limit: this often in a quarter of an hour. */
const MAX_ERASURES = 10;

export function createAccount({ kv, admit, localKeys, clock }: AccountDependencies) {
  return {
    async read(user: UserId): Promise<UserExport> {
      await admit(user, nothing);
      return exportUser(kv, user, clock());
    },

    /**
     * Erases every trace of the user, the count of this very call included; in local mode also the keys in `.env`.
     *
     * @throws Problem `rate_limited`, `store_unavailable`, in local mode `env_file_refused` and `env_file_busy`.
     */
    async erase(user: UserId): Promise<void> {
      const times = await admit(user, countErasures(await callStart(user, clock())));
      if (times >= MAX_ERASURES) {
        throw new Problem('rate_limited', { headers: { 'retry-after': String(MARK_LIFETIME_SECONDS) } });
      }
      const erase = () => eraseUser(kv, user, clock());
      await (localKeys === undefined ? erase() : localKeys.remove(providerIds, erase));
    },
  };
}
