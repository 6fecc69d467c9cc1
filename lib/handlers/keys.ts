/** /api/keys: all of the caller's keys. */
import { readGuards } from '../guards/stored-guards.ts';
import { userRoute } from '../http/endpoint.ts';
import { json, noContent } from '../http/json.ts';
import { deleteAllKeys } from '../keys/delete-keys.ts';
import { withGuards } from '../keys/key-metadata.ts';
import { openStoredKeys } from '../keys/stored-keys.ts';
import { combineQueries } from '../kv/query.ts';
import { providerIds } from '../providers/catalogue.ts';
import { readRecords } from '../vault/records.ts';

/** `{keys}`: every stored key, in the catalogue's order. One that does not open is listed as `unreadable`. */
export const GET = userRoute({}, async ({ app, user }) => {
  const [records, guards] = await app.admit(
    user,
    combineQueries(readRecords(user, providerIds), readGuards(user, providerIds, app.clock())),
  );
  const { localKeys } = app;
  const stored = await openStoredKeys({ ring: await app.ring(), localKeys }, user, providerIds, records);
  return json({ keys: stored.map(({ metadata }) => withGuards(metadata, guards)) });
});

/** Deletes every key and its guards; in local mode also the keys in `.env`. */
export const DELETE = userRoute({ audit: 'delete_all' }, async ({ app, user }) => {
  const forget = () => app.admitWrite(user, deleteAllKeys(user));
  await (app.localKeys?.remove(providerIds, forget) ?? forget());
  return noContent();
});
