/**
 * How much each of a user's keys was used: calls and tokens per day, provider and model. One hash per month, so that old
 * months expire. docs/storage-schema.md describes it.
 */
import { z } from 'zod';
import type { UserId } from '../identity/user-id.ts';
import type { UserData } from '../kv/erasure.ts';
import { ownerKey } from '../kv/key-names.ts';
import { fieldsOfHash, type Query, query, type Script } from '../kv/query.ts';
import { DAY_SECONDS, MAX_USAGE_FIELDS, MAX_USAGE_MONTHS } from '../limits.ts';
import { findProvider, type ProviderId } from '../providers/catalogue.ts';
import { type TokenFigures, type TokenKind, tokenKinds } from './token-figures.ts';

const usageKey = (month: string, user: UserId) => ownerKey(user, `usage:${month}`);

/** `calls`: all calls that reached the provider. `measuredCalls`: those with reported token counts. */
type UsageCounts = { readonly calls: number; readonly measuredCalls: number } & {
  readonly [kind in TokenKind]: number;
};
export type UsageRow = UsageCounts & {
  /** UTC date, such as `2026-11-30`. */
  readonly day: string;
  readonly provider: ProviderId;
  /** Null if neither the provider nor the call named a model. */
  readonly model: string | null;
};

const COUNTERS = ['calls', 'measuredCalls', ...tokenKinds] as const;
const NO_MODEL = '-';

type CountedCall = {
  readonly provider: ProviderId;
  readonly model: string | undefined;
  readonly tokens: TokenFigures | undefined;
};

/** Counts one or more calls that began at the same time. */
export function countUsage(
  user: UserId,
  calls: readonly CountedCall[],
  { at, keepDays }: { readonly at: Date; readonly keepDays: number },
): Script {
  const [month, day] = [at.toISOString().slice(0, 7), at.toISOString().slice(8, 10)];
  const counterArgs = calls.flatMap(({ provider, model = NO_MODEL, tokens }) =>
    Object.entries({ calls: 1, measuredCalls: tokens === undefined ? 0 : 1, ...tokens }).flatMap(
      ([name, value]) => (value === 0 ? [] : [`${day} ${provider}`, model, name, String(value)]),
    ),
  );
  return {
    source: ADD,
    keys: [usageKey(month, user)],
    args: [
      String(MAX_USAGE_FIELDS),
      // A month expires as a whole, so its lifetime counts from its last day.
      String((keepDays + 31) * DAY_SECONDS),
      ...counterArgs,
    ],
  };
}

/**
 * Provider ids and model names contain no white space, so it separates the parts of a field name. A counter stops at
 * 2^53 - 1, the largest number that JavaScript reads exactly; beyond 2^63 the store would refuse the whole write.
 */
const ADD = `
local month = KEYS[1]
local maxFields, lifetimeSeconds = tonumber(ARGV[1]), ARGV[2]
local isFull = redis.call('HLEN', month) >= maxFields
for i = 3, #ARGV, 4 do
  local dayAndProvider, model, counter, amount = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local row = dayAndProvider .. ' ' .. model .. ' '
  if isFull and redis.call('HEXISTS', month, row .. 'calls') == 0 then row = dayAndProvider .. ' ${NO_MODEL} ' end
  local total = redis.call('HINCRBY', month, row .. counter, amount)
  if total > ${Number.MAX_SAFE_INTEGER} then redis.call('HSET', month, row .. counter, '${Number.MAX_SAFE_INTEGER}') end
end
redis.call('EXPIRE', month, lifetimeSeconds)
return 1`;

/** The rows from `from` to `to`, both included, oldest first. */
export function readUsage(user: UserId, from: string, to: string): Query<readonly UsageRow[]> {
  const months = monthsBetween(from, to);
  return query(
    (pipeline) => {
      for (const month of months) pipeline.hgetall(usageKey(month, user));
    },
    z
      .array(fieldsOfHash)
      .length(months.length)
      .transform((hashes) =>
        hashes
          .flatMap((fields, index) => toRows(months[index] ?? '', fields))
          .filter(({ day }) => day >= from && day <= to)
          .sort(byDay),
      ),
  );
}

/** Skips fields that this version does not know, such as those of a newer deployment. */
function toRows(month: string, fields: ReadonlyMap<string, string>): UsageRow[] {
  const rows = new Map<string, UsageRow>();
  for (const [field, amount] of fields) {
    const [dayOfMonth = '', id = '', model = NO_MODEL, name] = field.split(' ');
    const provider = findProvider(id)?.id;
    const counter = COUNTERS.find((known) => known === name);
    if (provider === undefined || counter === undefined) continue;
    const row = `${dayOfMonth} ${id} ${model}`;
    const named = { day: `${month}-${dayOfMonth}`, provider, model: model === NO_MODEL ? null : model };
    rows.set(row, { ...(rows.get(row) ?? { ...named, ...NO_CALLS }), [counter]: Number(amount) });
  }
  return [...rows.values()];
}

const NO_CALLS: UsageCounts = {
  calls: 0,
  measuredCalls: 0,
  input: 0,
  output: 0,
  cachedInput: 0,
  cacheRead: 0,
  cacheWrite: 0,
};

function byDay(a: UsageRow, b: UsageRow): number {
  const [left, right] = [a, b].map(({ day, provider, model }) => `${day} ${provider} ${model ?? ''}`);
  return (left ?? '') < (right ?? '') ? -1 : 1;
}

function monthsBetween(from: string, to: string): readonly string[] {
  const months: string[] = [];
  const last = to.slice(0, 7);
  for (
    let month = from.slice(0, 7);
    month <= last && months.length < MAX_USAGE_MONTHS;
    month = nextMonth(month)
  ) {
    months.push(month);
  }
  return months;
}

function nextMonth(month: string): string {
  const date = new Date(`${month}-01T00:00:00Z`);
  date.setUTCMonth(date.getUTCMonth() + 1);
  return date.toISOString().slice(0, 7);
}

/** Every month that may be stored, newest first. It includes next month, in case another instance's clock is ahead. */
function lastMonths(now: Date): readonly string[] {
  return Array.from({ length: MAX_USAGE_MONTHS }, (_, back) =>
    new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1 - back, 1)).toISOString().slice(0, 7),
  );
}

export const usageData: UserData = {
  name: 'usage',
  kvKeys: (user, now) => lastMonths(now).map((month) => usageKey(month, user)),
  read(user, now) {
    const months = lastMonths(now);
    return readUsage(user, `${months.at(-1)}-01`, `${months[0]}-31`);
  },
};
