/** /api/onboarding: the caller's onboarding: read it, complete a step, start over. Keys are not changed. */
import { Problem } from '../errors.ts';
import type { App } from '../http/call.ts';
import { userRoute } from '../http/endpoint.ts';
import { json, noContent } from '../http/json.ts';
import type { UserId } from '../identity/user-id.ts';
import { openStoredKeys } from '../keys/stored-keys.ts';
import { callStart } from '../kv/erasure.ts';
import { storeUnavailable } from '../kv/kv.ts';
import { combineQueries, emptyQuery } from '../kv/query.ts';
import { MAX_SESSION_TRIES } from '../limits.ts';
import { advance, describeSession } from '../onboarding/advance.ts';
import { onboardingPatch } from '../onboarding/onboarding-schema.ts';
import { API_KEYS_STEP } from '../onboarding/onboarding-steps.ts';
import { deleteSession, readSession, startSession, writeStep } from '../onboarding/session.ts';
import { findProvider, type ProviderId, providerIds } from '../providers/catalogue.ts';
import { type Records, readRecords } from '../vault/records.ts';

/** The user's session. A session that does not exist starts now. */
export const GET = userRoute({}, async ({ app, user }) => {
  const { steps, requiredProviders } = app.config.onboarding;
  const start = callStart(user, app.clock());
  const session = await app.admitWrite(user, startSession(user, stepIds(app), start));
  return json(describeSession(steps, requiredProviders, session));
});

/**
 * Completes or skips a step. The same change again changes nothing. Simultaneous changes lose nothing: each is decided
 * on the session as it is when the change is written.
 *
 * @throws Problem `invalid_request` for an unknown step, `step_required`, `step_out_of_order`; for `api-keys`
 *   `step_incomplete` while a required provider has no usable key, one that is valid or not verified yet.
 *   `store_unavailable` when other changes were faster every time, `account_erased` when the user was erased meanwhile.
 */
export const PATCH = userRoute({ body: onboardingPatch }, async ({ app, user, body: patch }) => {
  const { steps, requiredProviders } = app.config.onboarding;
  const needsKeys = patch.step === API_KEYS_STEP && patch.status === 'completed';
  const start = callStart(user, app.clock());
  const current = combineQueries(
    readSession(user, stepIds(app), start),
    needsKeys ? readRecords(user, usefulProviders(app)) : emptyQuery,
  );
  let [session, records] = await app.admit(user, current);
  for (let tries = 0; tries < MAX_SESSION_TRIES; tries += 1) {
    const next = advance(steps, session, patch, app.clock());
    if (next === undefined) return json(describeSession(steps, requiredProviders, session));
    if (records !== undefined) await assertUsableKeys(app, user, records);
    const outcome = await app.kv.run(writeStep(user, session, patch.step, next, start));
    if (outcome === 'erased') throw new Problem('account_erased');
    if (outcome === 'written') {
      const done = new Map(session.done).set(patch.step, next);
      return json(describeSession(steps, requiredProviders, { ...session, done }));
    }
    [session, records] = await app.kv.run(current);
  }
  throw storeUnavailable('store_write_contended', 1);
});

/** Deletes the session. It starts again when it is next read. */
export const DELETE = userRoute({}, async ({ app, user }) => {
  await app.admitWrite(user, deleteSession(user));
  return noContent();
});

function stepIds(app: App): readonly string[] {
  return app.config.onboarding.steps.map(({ id }) => id);
}

/** The providers whose keys can complete the step `api-keys`. */
function usefulProviders(app: App): readonly ProviderId[] {
  const { requiredProviders } = app.config.onboarding;
  return requiredProviders.length > 0 ? requiredProviders : providerIds;
}

async function assertUsableKeys(app: App, user: UserId, records: Records): Promise<void> {
  const sources = { ring: await app.ring(), localKeys: app.localKeys };
  const stored = await openStoredKeys(sources, user, usefulProviders(app), records);
  const usable = stored
    .filter(({ metadata: { status } }) => status === 'valid' || status === 'unverified')
    .map(({ metadata: { provider } }) => provider);
  const missing = app.config.onboarding.requiredProviders.filter((provider) => !usable.includes(provider));
  if (usable.length === 0 || missing.length > 0) throw stepIncomplete(missing);
}

function stepIncomplete(missing: readonly ProviderId[]): Problem {
  if (missing.length === 0) {
    return new Problem('step_incomplete', { detail: 'Add a key of any provider first.' });
  }
  const names = missing.map((provider) => findProvider(provider)?.name ?? provider);
  return new Problem('step_incomplete', {
    detail: `Add a working key first for: ${names.join(', ')}.`,
    members: { missingProviders: missing.join(',') },
  });
}
