/**
 * The guards in KV: one hash a user, one field a guard of a key, so that two changes at once lose nothing; and one
 * hash of how often each key was used today. docs/storage-schema.md describes both.
 */
import type { UserId } from '../identity/user-id.ts';
import type { Ask } from '../kv/kv.ts';
import type { UserData } from '../kv/user-data.ts';
import { type ProviderId, providerIds } from '../providers/catalogue.ts';
import { recordsKey } from '../vault/records.ts';
import type { Guards, GuardsPatch, GuardsView } from './guards.ts';

export const guardsKey = (user: UserId) => `userkeys:guards:${user}`;
export const spentKey = (user: UserId) => `userkeys:spent:${user}`;

/** Every KV key of a user's guards. */
function guardKeys(user: UserId): readonly string[] {
  return [guardsKey(user), spentKey(user)];
}

const NAMES = ['paused', 'expiresAt', 'models', 'callsPerDay'] as const;
const fieldsOf = (provider: ProviderId) => NAMES.map((name) => `${provider}:${name}`);

/** The day of a time, as the count of calls has it: `2026-11-30`, in UTC. */
export function dayOf(now: Date): string {
  return now.toISOString().slice(0, 10);
}

/** What the user has set for these providers' keys; those without any guard are absent. */
export function readGuards(
  user: UserId,
  providers: readonly ProviderId[],
  now: Date,
): Ask<ReadonlyMap<ProviderId, GuardsView>> {
  return {
    commands: 2,
    add(batch) {
      batch.hmget(guardsKey(user), ...providers.flatMap(fieldsOf)).hmget(spentKey(user), 'day', ...providers);
    },
    read([fields, spent]) {
      const isToday = at(spent, 0) === dayOf(now);
      return new Map(
        providers.flatMap((provider, index) => {
          const guards = parseGuards(NAMES.map((_, offset) => at(fields, NAMES.length * index + offset)));
          const callsToday = isToday ? Number(at(spent, index + 1) ?? 0) : 0;
          return guards === undefined ? [] : [[provider, describeGuards(guards, callsToday)] as const];
        }),
      );
    },
  };
}

/** Undefined when none is set. */
function parseGuards([paused, expiresAt, models, callsPerDay]: readonly unknown[]): Guards | undefined {
  const guards: Guards = {
    isPaused: paused === '1',
    expiresAt: typeof expiresAt === 'string' ? new Date(Number(expiresAt)) : undefined,
    models: typeof models === 'string' ? readModels(models) : undefined,
    callsPerDay: typeof callsPerDay === 'string' ? Number(callsPerDay) : undefined,
  };
  const isEmpty = !guards.isPaused && !guards.expiresAt && !guards.models && guards.callsPerDay === undefined;
  return isEmpty ? undefined : guards;
}

/** Names of models hold no white space. */
export function readModels(text: string): readonly string[] {
  return text.split(' ');
}

function describeGuards(
  { isPaused, expiresAt, models, callsPerDay }: Guards,
  callsToday: number,
): GuardsView {
  return {
    paused: isPaused,
    expiresAt: expiresAt?.toISOString() ?? null,
    models: models ?? null,
    callsPerDay: callsPerDay ?? null,
    callsToday,
  };
}

/**
 * Changes the guards that the patch names. Reads false, and has changed nothing, where no key is stored; `isHeld`
 * says that there is one elsewhere, in `.env`.
 */
export function changeGuards(
  user: UserId,
  provider: ProviderId,
  patch: GuardsPatch,
  isHeld: boolean,
): Ask<boolean> {
  const changes = Object.entries(toFields(patch)).flatMap(([name, value]) =>
    value === undefined ? [] : [`${provider}:${name}`, value],
  );
  return {
    commands: 1,
    add(batch) {
      batch.eval(
        CHANGE_IF_STORED,
        [recordsKey(user), guardsKey(user)],
        [provider, isHeld ? '1' : '', ...changes],
      );
    },
    read: ([result]) => Number(result) === 1,
  };
}

/** An empty value takes the guard away. */
function toFields(patch: GuardsPatch): { readonly [name in (typeof NAMES)[number]]: string | undefined } {
  const { paused, expiresAt, models, callsPerDay } = patch;
  return {
    paused: paused === undefined ? undefined : paused ? '1' : '',
    expiresAt: expiresAt == null ? cleared(expiresAt) : String(Date.parse(expiresAt)),
    models: models == null ? cleared(models) : models.join(' '),
    callsPerDay: callsPerDay == null ? cleared(callsPerDay) : String(callsPerDay),
  };
}

const cleared = (value: null | undefined) => (value === null ? '' : undefined);

const CHANGE_IF_STORED = `
if ARGV[2] == '' and redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return 0 end
for i = 3, #ARGV, 2 do
  if ARGV[i + 1] == '' then redis.call('HDEL', KEYS[2], ARGV[i])
  else redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1]) end
end
return 1`;

/** Takes the guards of a deleted key away, and its count. */
export function deleteGuards(user: UserId, provider: ProviderId): Ask<void> {
  return {
    commands: 2,
    add(batch) {
      batch.hdel(guardsKey(user), ...fieldsOf(provider)).hdel(spentKey(user), provider);
    },
    read: () => undefined,
  };
}

export const guardData: UserData = {
  name: 'guards',
  kvKeys: guardKeys,
  read(user, now) {
    const { read, ...ask } = readGuards(user, providerIds, now);
    return {
      ...ask,
      read: (results) => [...read(results)].map(([provider, guards]) => ({ provider, ...guards })),
    };
  },
};

export function deleteAllGuards(user: UserId): Ask<void> {
  return {
    commands: 1,
    add(batch) {
      batch.del(...guardKeys(user));
    },
    read: () => undefined,
  };
}

function at(values: unknown, index: number): unknown {
  return Array.isArray(values) ? values[index] : undefined;
}
