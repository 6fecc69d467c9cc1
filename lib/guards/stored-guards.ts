/**
 * The guards in KV: one hash a user, one field a guard of a key, so that simultaneous changes lose nothing; and one
 * hash with the number of calls made with each key today. docs/storage-schema.md describes both.
 */
import { z } from 'zod';
import type { UserId } from '../identity/user-id.ts';
import type { UserData } from '../kv/erasure.ts';
import { ownerKey } from '../kv/key-names.ts';
import { optionalTexts, type Query, query, scriptQuery } from '../kv/query.ts';
import { type ProviderId, providerIds } from '../providers/catalogue.ts';
import { type Deletions, deletionsKey, WAS_DELETED } from '../vault/deletions.ts';
import { recordsKey } from '../vault/records.ts';
import type { GuardsPatch, GuardsView } from './guards.ts';

export const guardsKey = (user: UserId) => ownerKey(user, 'guards');
export const usedTodayKey = (user: UserId) => ownerKey(user, 'spent');

const NAMES = ['paused', 'expiresAt', 'models', 'callsPerDay'] as const;
/** The fields of one key's guards in the hash. */
export const guardFields = (provider: ProviderId) => NAMES.map((name) => `${provider}:${name}`);

/** The UTC day of a time, in the form in which calls are counted: `2026-11-30`. */
export function dayOf(now: Date): string {
  return now.toISOString().slice(0, 'YYYY-MM-DD'.length);
}

/** The guards that the user has set for these providers' keys. A provider without any guard is absent. */
export function readGuards(
  user: UserId,
  providers: readonly ProviderId[],
  now: Date,
): Query<ReadonlyMap<ProviderId, GuardsView>> {
  return query(
    (pipeline) =>
      pipeline
        .hmget(guardsKey(user), ...providers.flatMap(guardFields))
        .hmget(usedTodayKey(user), 'day', ...providers),
    z
      .tuple([optionalTexts(NAMES.length * providers.length), optionalTexts(1 + providers.length)])
      .transform(([fields, [day, ...used]]) => {
        const isToday = day === dayOf(now);
        const guarded = providers.flatMap((provider, index) => {
          const own = fields.slice(NAMES.length * index, NAMES.length * (index + 1));
          const guards = toView(own, isToday ? Number(used[index] ?? 0) : 0);
          return guards === undefined ? [] : [[provider, guards] as const];
        });
        return new Map(guarded);
      }),
  );
}

/** Undefined when no guard is set. `fields` are in the order of `NAMES`. */
function toView(fields: readonly (string | null)[], callsToday: number): GuardsView | undefined {
  if (fields.every((field) => field === null)) return undefined;
  const [paused, expiresAt, models, callsPerDay] = fields;
  return {
    paused: paused === '1',
    expiresAt: expiresAt == null ? null : new Date(Number(expiresAt)).toISOString(),
    models: models == null ? null : splitModels(models),
    callsPerDay: callsPerDay == null ? null : Number(callsPerDay),
    callsToday,
  };
}

/** The models of a guard. Model names contain no white space. */
export function splitModels(text: string): readonly string[] {
  return text.split(' ');
}

/** `missing`: no key is stored. `deleted`: the key was deleted meanwhile. Only `changed` stored anything. */
type ChangeOutcome = 'changed' | 'missing' | 'deleted';

/**
 * Changes the guards that the patch names. `isInFile`: `.env` has a key, which is enough. `deletions` are those that the
 * call has read: guards meant for a deleted key must not apply to the next one.
 */
export function changeGuards(
  user: UserId,
  provider: ProviderId,
  patch: GuardsPatch,
  { isInFile, deletions }: { readonly isInFile: boolean; readonly deletions: Deletions },
): Query<ChangeOutcome> {
  const changes = Object.entries(toFields(patch)).flatMap(([name, value]) =>
    value === undefined ? [] : [`${provider}:${name}`, value],
  );
  return scriptQuery(
    {
      source: CHANGE_IF_STORED,
      keys: [recordsKey(user), guardsKey(user), deletionsKey(user)],
      args: [provider, isInFile ? '1' : '', deletions.own, deletions.all, ...changes],
    },
    z.enum(['changed', 'missing', 'deleted']),
  );
}

/** An empty value removes the guard; undefined leaves it as it is. */
function toFields(patch: GuardsPatch): { readonly [name in (typeof NAMES)[number]]: string | undefined } {
  const { paused, expiresAt, models, callsPerDay } = patch;
  return {
    paused: paused === undefined ? undefined : paused ? '1' : '',
    expiresAt: expiresAt == null ? removed(expiresAt) : String(Date.parse(expiresAt)),
    models: models == null ? removed(models) : models.join(' '),
    callsPerDay: callsPerDay == null ? removed(callsPerDay) : String(callsPerDay),
  };
}

const removed = (value: null | undefined) => (value === null ? '' : undefined);

const CHANGE_IF_STORED = `
local records, guards, deletions = KEYS[1], KEYS[2], KEYS[3]
local provider, isInFile, ownDeletion, allDeletion = ARGV[1], ARGV[2] == '1', ARGV[3], ARGV[4]
local firstChange = 5
${WAS_DELETED}
if wasDeleted(deletions, provider, ownDeletion, allDeletion) then return 'deleted' end
if not isInFile and redis.call('HEXISTS', records, provider) == 0 then return 'missing' end
for i = firstChange, #ARGV, 2 do
  local field, value = ARGV[i], ARGV[i + 1]
  if value == '' then redis.call('HDEL', guards, field) else redis.call('HSET', guards, field, value) end
end
return 'changed'`;

export const guardData: UserData = {
  name: 'guards',
  kvKeys: (user) => [guardsKey(user), usedTodayKey(user)],
  read: (user, now) => (pipeline) => {
    const parse = readGuards(user, providerIds, now)(pipeline);
    return (answers) => [...parse(answers)].map(([provider, guards]) => ({ provider, ...guards }));
  },
};
