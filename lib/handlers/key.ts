/** /api/keys/{provider}: one of the caller's keys. */
import { Problem } from '../errors.ts';
import { guardsPatch } from '../guards/guards.ts';
import { changeGuards, deleteGuards, readGuards } from '../guards/stored-guards.ts';
import type { App } from '../http/call.ts';
import { requireProvider, userRoute } from '../http/endpoint.ts';
import { json, noContent } from '../http/json.ts';
import type { UserId } from '../identity/user-id.ts';
import { describeRecord, type KeyMetadata, withGuards } from '../keys/key-metadata.ts';
import { keyMissing } from '../keys/key-scope.ts';
import { saveRecord, writeStatus } from '../keys/record-writes.ts';
import { saveKeyBody } from '../keys/save-key-body.ts';
import { openStoredKeys, type StoredKey } from '../keys/stored-keys.ts';
import { callStart } from '../kv/erasure.ts';
import { combineQueries } from '../kv/query.ts';
import type { Provider } from '../providers/catalogue.ts';
import { checkKey } from '../providers/check-key.ts';
import { Secret } from '../secret.ts';
import { sealKey } from '../vault/envelope.ts';
import { hintOf } from '../vault/key-record.ts';
import { deleteRecord, readRecords } from '../vault/records.ts';

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
  const { metadata, key } = await findKey(app, user, provider);
  const isRevealed = provider.publishable && key !== undefined && !isHeldBack(metadata, app.clock());
  return json(isRevealed ? { ...metadata, key: key.reveal() } : metadata);
});

/**
 * Checks the key with its provider, seals it and stores it. Of two simultaneous saves both are acknowledged and the
 * later one is stored.
 *
 * @throws Problem `unknown_provider`; `key_rejected` when the provider refuses the key: nothing is stored and a former
 *   key stays. `account_erased` when the user was erased meanwhile, `deployment_outdated` when this deployment seals
 *   under a retired master key; in local mode `env_file_refused` and `env_file_busy`. Nothing is stored then.
 */
export const PUT = userRoute({ body: saveKeyBody, audit: 'save' }, async (call) => {
  const { app, user, journal } = call;
  const provider = requireProvider(call.params.provider);
  const key = new Secret(call.body.key);
  const start = callStart(user, app.clock());
  const [records, guards] = await readKey(app, user, provider);
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
  const context = { former: records.get(provider.id), start, clock: app.clock };
  const store = () => saveRecord(app.kv, user, provider.id, sealed, context);
  const { localKeys } = app;
  const { stored, envFile } =
    localKeys === undefined
      ? { stored: await store(), envFile: undefined }
      : await localKeys.save(provider, key, store);

  const isNew = stored.former === undefined;
  if (!isNew) journal.note({ action: 'replace' });
  const metadata = describeRecord(provider.id, stored.record, stored.former?.lastUsedAt);
  return json({ ...withGuards(metadata, guards), ...(envFile && { envFile }) }, isNew ? 201 : 200);
});

/**
 * Changes the guards that the patch names; they apply from the next call on. Saving another key keeps them, deleting
 * the key removes them.
 *
 * @throws Problem `unknown_provider`, `key_missing`.
 */
export const PATCH = userRoute({ body: guardsPatch, audit: 'guard' }, async (call) => {
  const { app, user } = call;
  const provider = requireProvider(call.params.provider);
  const { metadata } = await findKey(app, user, provider);
  const isInFile = metadata.envFile === 'env-only';
  const [isChanged, guards] = await app.kv.run(
    combineQueries(
      changeGuards(user, provider.id, call.body.guards, isInFile),
      readGuards(user, [provider.id], app.clock()),
    ),
  );
  if (!isChanged) throw keyMissing(provider.id, app.basePath);
  const { guards: _, ...rest } = metadata;
  return json(withGuards(rest, guards));
});

/**
 * Checks the stored key with its provider again and records the result. `verdict` is what the provider said this time;
 * `unknown` changes nothing, so the status may still be `valid`.
 *
 * @throws Problem `unknown_provider`, `key_missing`, `key_unreadable`.
 */
export const POST = userRoute({ audit: 'check' }, async (call) => {
  const { app, user } = call;
  const provider = requireProvider(call.params.provider);
  const { metadata, key, stored } = await findKey(app, user, provider);
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
  const forget = () => app.admit(user, combineQueries(deleteRecord(user, id), deleteGuards(user, id)));
  await (app.localKeys?.remove([id], forget) ?? forget());
  return noContent();
});

/** The stored record and guards of one key, in the KV request that counts the call. */
function readKey(app: App, user: UserId, { id }: Provider) {
  return app.admit(user, combineQueries(readRecords(user, [id]), readGuards(user, [id], app.clock())));
}

async function findKey(app: App, user: UserId, provider: Provider): Promise<StoredKey> {
  const [records, guards] = await readKey(app, user, provider);
  const sources = { ring: await app.ring(), localKeys: app.localKeys };
  const [found] = await openStoredKeys(sources, user, [provider.id], records);
  if (found === undefined) throw keyMissing(provider.id, app.basePath);
  return { ...found, metadata: withGuards(found.metadata, guards) };
}

function isHeldBack({ guards }: KeyMetadata, now: Date): boolean {
  if (guards === undefined) return false;
  return guards.paused || (guards.expiresAt !== null && Date.parse(guards.expiresAt) <= now.getTime());
}
