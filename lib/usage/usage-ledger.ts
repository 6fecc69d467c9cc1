/**
 * How much each of a user's keys was used: calls and tokens per day, provider and model. One hash per month, so that old
 * months expire. docs/storage-schema.md describes it.
 */
import { z } from 'zod';
import type { UserId } from '../identity/user-id.ts';
import type { UserData } from '../kv/erasure.ts';
import { ownerKey } from '../kv/key-names.ts';
import type { Kv } from '../kv/kv.ts';
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
 * Provider ids and model names contain no white space, so it separates the parts of a field name. A full month takes no
 * field but those of calls without a model, so its size is bounded. A counter stops at 2^53 - 1, the largest number that
 * JavaScript reads exactly; beyond 2^63 the store would refuse the whole write.
 */
const ADD = `
local month = KEYS[1]
local maxFields, lifetimeSeconds = tonumber(ARGV[1]), ARGV[2]
local isFull = redis.call('HLEN', month) >= maxFields
local function rowOf(i) return ARGV[i] .. ' ' .. ARGV[i + 1] .. ' ' end
local isRefused = {}
if isFull then
  for i = 3, #ARGV, 4 do
    if redis.call('HEXISTS', month, rowOf(i) .. ARGV[i + 2]) == 0 then isRefused[rowOf(i)] = true end
  end
end
for i = 3, #ARGV, 4 do
  local row, counter, amount = rowOf(i), ARGV[i + 2], ARGV[i + 3]
  if isRefused[row] then row = ARGV[i] .. ' ${NO_MODEL} ' end
  local total = redis.call('HINCRBY', month, row .. counter, amount)
  if total > ${Number.MAX_SAFE_INTEGER} then redis.call('HSET', month, row .. counter, '${Number.MAX_SAFE_INTEGER}') end
end
redis.call('EXPIRE', month, lifetimeSeconds)
return 1`;

/** The rows of one month, such as `2026-11`, oldest first. */
function readMonth(user: UserId, month: string): Query<readonly UsageRow[]> {
  return query(
    (pipeline) => pipeline.hgetall(usageKey(month, user)),
    z.tuple([fieldsOfHash]).transform(([fields]) => sortRows(toRows(month, fields))),
  );
}

/**
 * The rows from `from` to `to`, both included, oldest first. One request a month, because a year can be more than one
 * answer of the store may hold. `runFirst` runs the first of them.
 */
export async function readUsage(
  kv: Kv,
  user: UserId,
  [from, to]: readonly [from: string, to: string],
  runFirst: Kv['run'] = kv.run,
): Promise<readonly UsageRow[]> {
  const rows: UsageRow[] = [];
  for (const [index, month] of monthsBetween(from, to).entries()) {
    rows.push(...(await (index === 0 ? runFirst : kv.run)(readMonth(user, month))));
  }
  return rows.filter(({ day }) => day >= from && day <= to);
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

/** By day, provider and model. The texts to compare are made once, because a month can have thousands of rows. */
function sortRows(rows: readonly UsageRow[]): readonly UsageRow[] {
  return rows
    .map((row) => ({ row, text: `${row.day} ${row.provider} ${row.model ?? ''}` }))
    .sort((left, right) => (left.text < right.text ? -1 : 1))
    .map(({ row }) => row);
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
  async readInParts(kv, user, now) {
    const months = lastMonths(now);
    return readUsage(kv, user, [`${months.at(-1)}-01`, `${months[0]}-31`]);
  },
};
