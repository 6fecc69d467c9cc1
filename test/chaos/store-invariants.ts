/** What is true of every store at any time, whatever was cut off. */
import { z } from 'zod';
import { guardsKey, usedTodayKey } from '../../lib/guards/stored-guards.ts';
import { ownerKey } from '../../lib/kv/key-names.ts';
import { fieldsOfHash, query } from '../../lib/kv/query.ts';
import { findProvider } from '../../lib/providers/catalogue.ts';
import { openKey } from '../../lib/vault/envelope.ts';
import { parseStoredRecord } from '../../lib/vault/key-record.ts';
import { recordsKey } from '../../lib/vault/records.ts';
import { connect, ringOf } from '../rotation/fill-store.ts';
import type { World } from '../support/start-world.ts';
import { userId } from '../support/user-ids.ts';
import type { Person } from './person.ts';

/**
 * Everything that is wrong with a person's data in the store, as text: a record that does not open, or opens to a key
 * that is not theirs; a guard or a time of use without its key; a counter that never expires.
 */
export async function faultsInStore(
  at: { readonly url: string; readonly token: string },
  world: World,
  { sub, keys }: Person,
): Promise<readonly string[]> {
  const user = userId(sub);
  const hashes = [recordsKey(user), guardsKey(user), ownerKey(user, 'used'), usedTodayKey(user)];
  const [records, guards, used, usedToday, ttl] = await connect(at).run(
    query(
      (pipeline) => hashes.reduce((all, key) => all.hgetall(key), pipeline).ttl(usedTodayKey(user)),
      z.tuple([fieldsOfHash, fieldsOfHash, fieldsOfHash, fieldsOfHash, z.int()]),
    ),
  );
  const wrong: string[] = [];

  const ring = await ringOf(...(world.env.VAULT_KEYS ?? '').split(','));
  for (const [id, text] of records) {
    const provider = findProvider(id)?.id;
    const { record } = parseStoredRecord(text);
    if (provider === undefined || record === undefined) {
      wrong.push(`the record of ${id} is malformed`);
      continue;
    }
    const key = await openKey(ring, { user, provider }, record.jwe).catch(() => undefined);
    if (!Object.values(keys).includes(key?.reveal() ?? '')) wrong.push(`the record of ${id} is not theirs`);
  }
  for (const field of guards.keys()) {
    if (!records.has(field.split(':')[0] ?? '')) wrong.push(`the guard ${field} has no key`);
  }
  for (const field of used.keys()) {
    if (!records.has(field)) wrong.push(`the time of use of ${field} has no key`);
  }
  for (const field of usedToday.keys()) {
    if (field !== 'day' && !records.has(field)) wrong.push(`the count of ${field} has no key`);
  }
  if (ttl === -1) wrong.push('the counts of the day never expire');
  return wrong;
}
