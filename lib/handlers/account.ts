/** /api/account: everything that is stored about the caller. */
import { eraseUser, exportUser } from '../account/account-data.ts';
import { Problem } from '../errors.ts';
import { userRoute } from '../http/endpoint.ts';
import { json, noContent } from '../http/json.ts';
import { callStart, countErasures } from '../kv/erasure.ts';
import { emptyQuery } from '../kv/query.ts';
import { ERASURE_MARK_LIFETIME_SECONDS, MAX_ERASURES } from '../limits.ts';
import { providerIds } from '../providers/catalogue.ts';

/** Everything stored about the user except the keys themselves. */
export const GET = userRoute({}, async ({ app, user }) => {
  await app.admit(user, emptyQuery);
  return json(await exportUser(app.kv, user, app.clock()));
});

/**
 * Erases every trace of the user, the count of this call included; in local mode also the keys in `.env`.
 *
 * @throws Problem `rate_limited`, `store_unavailable`; in local mode `env_file_refused` and `env_file_busy`.
 */
export const DELETE = userRoute({}, async ({ app, user }) => {
  const erasures = await app.admit(user, countErasures(callStart(user, app.clock())));
  if (erasures >= MAX_ERASURES) {
    throw new Problem('rate_limited', {
      reason: 'erasures_in_a_row',
      headers: { 'retry-after': String(ERASURE_MARK_LIFETIME_SECONDS) },
    });
  }
  const erase = () => eraseUser(app.kv, user, app.clock());
  await (app.localKeys?.remove(providerIds, erase) ?? erase());
  return noContent();
});
