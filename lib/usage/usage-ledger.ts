/**
 * How much each of a user's keys was used: calls and tokens, added up per day, provider and model. One hash a month,
 * so that old ones go by themselves. docs/storage-schema.md describes it.
 */
import type { UserId } from '../identity/user-id.ts';
import type { Ask } from '../kv/kv.ts';
import type { LateWrite } from '../kv/deferred-writes.ts';
import type { UserData } from '../kv/user-data.ts';
import { findProvider, type ProviderId } from '../providers/catalogue.ts';
import { type TokenFigures, type TokenKind, tokenKinds } from './token-figures.ts';

/** The most months that are ever kept, whatever a deployment sets, so that an erasure knows them all. */
const MAX_MONTHS = 28;
export const MAX_USAGE_AGE_DAYS = 730;
/** A month's hash takes no new model beyond this many fields: names come from providers, who repeat the caller's. */
const MAX_FIELDS = 4_000;

const DAY_SECONDS = 24 * 60 * 60;
const usageKey = (month: string, user: UserId) => `userkeys:usage:${month}:${user}`;

/** `calls` is every call that reached the provider, `measuredCalls` those for which it told its figures. */
type UsageCounts = { readonly calls: number; readonly measuredCalls: number } & {
  readonly [kind in TokenKind]: number;
};
export type UsageRow = UsageCounts & {
  /** In UTC, `2026-11-30`. */
  readonly day: string;
  readonly provider: ProviderId;
  /** Null where neither the provider nor the call named one. */
  readonly model: string | null;
};

const COUNTERS = ['calls', 'measuredCalls', ...tokenKinds] as const;
const NO_MODEL = '-';

type CountedCall = {
  readonly provider: ProviderId;
  readonly model: string | undefined;
  readonly tokens: TokenFigures | undefined;
};

/** Adds calls of one moment, at least one. */
export function countUsage(
  user: UserId,
  calls: readonly CountedCall[],
  { at, keepDays }: { readonly at: Date; readonly keepDays: number },
): LateWrite {
  const [month, day] = [at.toISOString().slice(0, 7), at.toISOString().slice(8, 10)];
  const words = calls.flatMap(({ provider, model = NO_MODEL, tokens }) =>
    Object.entries({ calls: 1, measuredCalls: tokens === undefined ? 0 : 1, ...tokens }).flatMap(
      ([name, value]) => (value === 0 ? [] : [`${day} ${provider}`, model, name, String(value)]),
    ),
  );
  return {
    script: ADD,
    keys: [usageKey(month, user)],
    args: [
      String(MAX_FIELDS),
      // The month's last day is kept as long as it should be, so the whole month is.
      String((keepDays + 31) * DAY_SECONDS),
      ...words,
    ],
  };
}

/** Names of providers and models hold no white space. */
const ADD = `
local full = redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[1])
for i = 3, #ARGV, 4 do
  local row = ARGV[i] .. ' ' .. ARGV[i + 1] .. ' '
  if full and redis.call('HEXISTS', KEYS[1], row .. 'calls') == 0 then row = ARGV[i] .. ' ${NO_MODEL} ' end
  redis.call('HINCRBY', KEYS[1], row .. ARGV[i + 2], ARGV[i + 3])
end
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1`;

/** The rows of these days, both included, oldest first. */
export function readUsage(user: UserId, from: string, to: string): Ask<readonly UsageRow[]> {
  const months = monthsBetween(from, to);
  return {
    commands: months.length,
    add(batch) {
      for (const month of months) batch.hgetall(usageKey(month, user));
    },
    read(results) {
      const rows = months.flatMap((month, index) => readMonth(month, results[index]));
      return rows.filter(({ day }) => day >= from && day <= to).sort(byDay);
    },
  };
}

function readMonth(month: string, fields: unknown): UsageRow[] {
  const words = Array.isArray(fields) ? fields : [];
  const rows = new Map<string, UsageRow>();
  for (let index = 0; index + 1 < words.length; index += 2) {
    const [dayOfMonth = '', id = '', model = NO_MODEL, name] = String(words[index]).split(' ');
    const provider = findProvider(id)?.id;
    const counter = COUNTERS.find((known) => known === name);
    if (provider === undefined || counter === undefined) continue;
    const row = `${dayOfMonth} ${id} ${model}`;
    const named = { day: `${month}-${dayOfMonth}`, provider, model: model === NO_MODEL ? null : model };
    rows.set(row, { ...(rows.get(row) ?? { ...named, ...NOTHING }), [counter]: Number(words[index + 1]) });
  }
  return [...rows.values()];
}

const NOTHING: UsageCounts = {
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
  for (let month = from.slice(0, 7); month <= last && months.length < MAX_MONTHS; month = nextMonth(month)) {
    months.push(month);
  }
  return months;
}

function nextMonth(month: string): string {
  const date = new Date(`${month}-01T00:00:00Z`);
  date.setUTCMonth(date.getUTCMonth() + 1);
  return date.toISOString().slice(0, 7);
}

/** Every month that can still be kept, newest first: also the next, where some instance's clock already is. */
function lastMonths(now: Date): readonly string[] {
  return Array.from({ length: MAX_MONTHS }, (_, back) =>
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
