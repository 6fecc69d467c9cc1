/** `GET /api/usage`: the caller's own calls and tokens, per day, provider and model. */
import { z } from 'zod';
import { costOf, type PriceTable } from '../usage/price-table.ts';
import type { UsageRow } from '../usage/usage-ledger.ts';

const DAY_MS = 24 * 60 * 60_000;
const DEFAULT_DAYS = 30;
const MAX_DAYS = 366;

const day = z.iso.date('must be a day such as 2026-11-30').optional();

export const usageQuery = z
  .strictObject({
    /** First day, UTC. Default: 29 days before `to`. */
    from: day,
    /** Last day. Default: today. */
    to: day,
  })
  .refine(({ from, to }) => from === undefined || to === undefined || from <= to, {
    path: ['from'],
    error: 'must not be after `to`',
  });
export type UsageQuery = z.infer<typeof usageQuery>;

export type UsageRange = { readonly from: string; readonly to: string };

/** The days asked for: at most a year, ending with `to`. */
export function rangeOf({ from, to }: UsageQuery, now: Date): UsageRange {
  const last = to ?? now.toISOString().slice(0, 10);
  const earliest = daysBefore(last, MAX_DAYS - 1);
  const wanted = from ?? daysBefore(last, DEFAULT_DAYS - 1);
  const [, first = wanted] = [wanted, earliest].sort();
  return { from: first, to: last };
}

function daysBefore(day: string, days: number): string {
  return new Date(Date.parse(day) - days * DAY_MS).toISOString().slice(0, 10);
}

/**
 * `{from, to, rows: [{day, provider, model, calls, measuredCalls, inputTokens, outputTokens, cachedInputTokens,
 * cacheReadTokens, cacheWriteTokens}]}`. Tokens are null where no call of the row was measured. With a price table
 * each row has `cost`, null where the table does not say, and the whole a `currency`.
 */
export function describeUsage(range: UsageRange, rows: readonly UsageRow[], prices: PriceTable | undefined) {
  return {
    ...range,
    ...(prices === undefined ? {} : { currency: prices.currency }),
    rows: rows.map((row) => {
      const { day, provider, model, calls, measuredCalls } = row;
      const tokens = (count: number) => (measuredCalls === 0 ? null : count);
      return {
        ...{ day, provider, model, calls, measuredCalls },
        inputTokens: tokens(row.input),
        outputTokens: tokens(row.output),
        cachedInputTokens: tokens(row.cachedInput),
        cacheReadTokens: tokens(row.cacheRead),
        cacheWriteTokens: tokens(row.cacheWrite),
        ...(prices === undefined ? {} : { cost: costOf(row, prices) }),
      };
    }),
  };
}
