/** /api/keys/{provider}: one of the caller's keys. */
import { Problem } from '../errors.ts';
import { type GuardsView, guardsPatch } from '../guards/guards.ts';
import { guardRefusal } from '../guards/key-decision.ts';
import { assertWithinCheckLimit, countCall, rateWindow } from '../guards/rate-limit.ts';
import { changeGuards, readGuards } from '../guards/stored-guards.ts';
import type { App } from '../http/call.ts';
import { requireProvider, userRoute } from '../http/endpoint.ts';
import { json, noContent } from '../http/json.ts';
import type { UserId } from '../identity/user-id.ts';
import { deleteKey } from '../keys/delete-keys.ts';
import { describeRecord, type KeyMetadata, withGuards } from '../keys/key-metadata.ts';
import { keyMissing } from '../keys/key-scope.ts';
import { saveKey, writeStatus } from '../keys/record-writes.ts';
import { saveKeyBody } from '../keys/save-key-body.ts';
import { openStoredKeys, type StoredKey } from '../keys/stored-keys.ts';
import { callStart } from '../kv/erasure.ts';
import { combineQueries, type Query } from '../kv/query.ts';
import type { Provider, ProviderId } from '../providers/catalogue.ts';
import { checkKey } from '../providers/check-key.ts';
import { Secret } from '../secret.ts';
import { readDeletions } from '../vault/deletions.ts';
import { sealKey } from '../vault/envelope.ts';
import { hintOf } from '../vault/key-record.ts';
import { type Records, readRecords } from '../vault/records.ts';

/**
 * The key's metadata, with the key itself when it is made for the browser and is neither paused nor expired.
 *
 * @throws Problem `unknown_provider`, `key_missing`.
 */
export const GET = userRoute({}, async (call) => {
  const { app, user } = call;
  const provider = requireProvider(call.params.provider);
  // Only a key that is made for the browser is revealed. Reading metadata alone is not logged.
  if (provider.publishable) call.journal.note({ action: 'reveal' });
  const read = await app.admit(user, readKey(app, user, provider));
  const { metadata, key } = await openFound(app, user, provider, read);
  const isRevealed =
    provider.publishable && key !== undefined && refusalOf(metadata, app.clock()) === undefined;
  return json(isRevealed ? { ...metadata, key: key.reveal() } : metadata);
});

/**
 * Checks the key with its provider, seals it and stores it. Of two simultaneous saves both are acknowledged and the
 * later one is stored.
 *
 * @throws Problem `unknown_provider`; `rate_limited`, also for too many saves and checks; `key_rejected` when the
 *   provider refuses the key: nothing is stored and a former key stays. `key_deleted` when the key was deleted meanwhile,
 *   `account_erased` when the user was, `deployment_outdated` when this deployment seals under a retired master key; in
 *   local mode `env_file_refused` and `env_file_busy`. Nothing is stored then.
 */
export const PUT = userRoute({ body: saveKeyBody, audit: 'save' }, async (call) => {
  const { app, user, journal } = call;
  const provider = requireProvider(call.params.provider);
  const key = new Secret(call.body.key);
  const start = callStart(user, app.clock());
  const deletions = await admitCheck(app, user, readDeletions(user, provider.id));
  // Before the provider is called: a deployment that cannot seal must not check keys.
  const ring = await app.ring();

  const checked = await checkKey(provider, key, app);
  if (checked === 'rejected') {
    throw new Problem('key_rejected', {
      detail: `${provider.name} does not accept this key. Nothing was stored. Check the key at the provider.`,
      members: { provider: provider.id, getKeyAt: provider.keyPage },
    });
  }

  const jwe = await sealKey(ring, { user, provider: provider.id }, key);
  const status = checked === 'valid' ? 'valid' : 'unverified';
  const sealed = { jwe, hint: hintOf(key.reveal()), status } as const;
  const store = () => saveKey(app.kv, user, provider.id, sealed, { at: app.clock(), start, deletions });
  const { localKeys } = app;
  const { stored, envFile } =
    localKeys === undefined
      ? { stored: await store(), envFile: undefined }
      : await localKeys.save(provider, key, store);

  const { record, isNew, lastUsedAt, guards } = stored;
  if (!isNew) journal.note({ action: 'replace' });
  const metadata = withGuards(describeRecord(provider.id, record, lastUsedAt), guards);
  return json({ ...metadata, ...(envFile && { envFile }) }, isNew ? 201 : 200);
});

/**
 * Changes the guards that the patch names; they apply from the next call on. Saving another key keeps them, deleting
 * the key removes them.
 *
 * @throws Problem `unknown_provider`, `key_missing`, `key_deleted` when the key was deleted meanwhile.
 */
export const PATCH = userRoute({ body: guardsPatch, audit: 'guard' }, async (call) => {
  const { app, user } = call;
  const provider = requireProvider(call.params.provider);
  const [found, deletions] = await app.admit(
    user,
    combineQueries(readKey(app, user, provider), readDeletions(user, provider.id)),
  );
  const { metadata } = await openFound(app, user, provider, found);
  const isInFile = metadata.envFile === 'env-only';
  const [outcome, guards] = await app.kv.run(
    combineQueries(
      changeGuards(user, provider.id, call.body.guards, { isInFile, deletions }),
      readGuards(user, [provider.id], app.clock()),
    ),
  );
  if (outcome === 'missing') throw keyMissing(provider.id, app.basePath);
  if (outcome === 'deleted') throw new Problem('key_deleted');
  const { guards: _, ...rest } = metadata;
  return json(withGuards(rest, guards));
});

/**
 * Checks the stored key with its provider again and records the result. `verdict` is what the provider said this time;
 * `unknown` changes nothing, so the status may still be `valid`.
 *
 * @throws Problem `unknown_provider`, `rate_limited`, also for too many saves and checks; `key_missing`,
 *   `key_paused`, `key_expired`, `key_unreadable`: the provider was not called.
 */
export const POST = userRoute({ audit: 'check' }, async (call) => {
  const { app, user } = call;
  const provider = requireProvider(call.params.provider);
  const read = await admitCheck(app, user, readKey(app, user, provider));
  const { metadata, key, stored } = await openFound(app, user, provider, read);
  const refusal = refusalOf(metadata, app.clock());
  if (refusal !== undefined) throw guardRefusal(refusal, { provider: provider.id, basePath: app.basePath });
  if (key === undefined) throw new Problem('key_unreadable', { members: { provider: provider.id } });
  const verdict = await checkKey(provider, key, app);
  if (verdict === 'unknown') return json({ ...metadata, verdict });
  const status = verdict === 'valid' ? 'valid' : 'invalid';
  if (stored !== undefined && status !== stored.record.status) {
    await writeStatus(app.kv, user, provider.id, stored, status);
  }
  return json({ ...metadata, status, verdict });
});

/** Deletes the key and its guards; in local mode also the key in `.env`. A key that is not stored is no error. */
export const DELETE = userRoute({ audit: 'delete' }, async (call) => {
  const { app, user } = call;
  const { id } = requireProvider(call.params.provider);
  const forget = () => app.admitWrite(user, deleteKey(user, id));
  await (app.localKeys?.remove([id], forget) ?? forget());
  return noContent();
});

/** The stored record and guards of one key. */
function readKey(app: App, user: UserId, { id }: Provider) {
  return combineQueries(readRecords(user, [id]), readGuards(user, [id], app.clock()));
}

type ReadKey = readonly [Records, ReadonlyMap<ProviderId, GuardsView>];

/** Admits a call that has a key checked by its provider: it counts against the limit of such calls too. */
async function admitCheck<T>(app: App, user: UserId, query: Query<T>): Promise<T> {
  const window = rateWindow(user, app.clock(), 'checks');
  const [counts, result] = await app.admit(user, combineQueries(countCall(window), query));
  assertWithinCheckLimit(counts, window, app.config.rateLimitPerMinute);
  return result;
}

async function openFound(
  app: App,
  user: UserId,
  provider: Provider,
  [records, guards]: ReadKey,
): Promise<StoredKey> {
  const sources = { ring: await app.ring(), localKeys: app.localKeys };
  const [found] = await openStoredKeys(sources, user, [provider.id], records);
  if (found === undefined) throw keyMissing(provider.id, app.basePath);
  return { ...found, metadata: withGuards(found.metadata, guards) };
}

/** The guard that keeps a key from being used at all. */
function refusalOf({ guards }: KeyMetadata, now: Date): 'key_paused' | 'key_expired' | undefined {
  if (guards === undefined) return undefined;
  if (guards.paused) return 'key_paused';
  const isExpired = guards.expiresAt !== null && Date.parse(guards.expiresAt) <= now.getTime();
  return isExpired ? 'key_expired' : undefined;
}
