import { both } from '../kv/kv.ts';
import { readFields } from '../kv/read-fields.ts';
import type { UserData } from '../kv/user-data.ts';
import { bundleKeys } from './records.ts';
import { parseStoredRecord } from './key-record.ts';

/** A user's stored keys without the keys: also those of providers that are in no catalogue any more. */
export const keyData: UserData = {
  name: 'keys',
  kvKeys: bundleKeys,
  read(user) {
    const [records, used] = bundleKeys(user);
    const { read, ...ask } = both(readFields(records), readFields(used));
    return {
      ...ask,
      read(results) {
        const [stored, lastUsed] = read(results);
        return [...stored].map(([provider, text]) => {
          // The envelope goes; the rest of a record is what may be shown of it.
          const { jwe: _, v: __, ...shown } = parseStoredRecord(text).record ?? { status: 'unreadable' };
          return { provider, ...shown, lastUsedAt: lastUsed.get(provider) ?? null };
        });
      },
    };
  },
};
