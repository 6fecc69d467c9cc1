/** The response body of `GET /api/usage`. */
import { costOf, type PriceTable } from './price-table.ts';
import type { UsageRow } from './usage-ledger.ts';

/** The first and the last day, both included, such as `2026-11-30`. */
export type UsageRange = { readonly from: string; readonly to: string };

/**
 * `{from, to, rows: [{day, provider, model, calls, measuredCalls, inputTokens, outputTokens, cachedInputTokens,
 * cacheReadTokens, cacheWriteTokens}]}`. Tokens are null if no call of the row reported counts. With a price table the
 * report has a `currency` and each row a `cost`, which is null if the table has no price for it.
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
