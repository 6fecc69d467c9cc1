/** GET /api/usage: the caller's own calls and tokens, per day, provider and model. */
import { z } from 'zod';
import { userRoute } from '../http/endpoint.ts';
import { json } from '../http/json.ts';
import { DAY_MS, DEFAULT_USAGE_DAYS, MAX_USAGE_DAYS } from '../limits.ts';
import { readUsage } from '../usage/usage-ledger.ts';
import { describeUsage, type UsageRange } from '../usage/usage-report.ts';

const day = z.iso.date('must be a day such as 2026-11-30').optional();

const usageQuery = z
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

/** The rows of the requested days, as lib/usage/usage-report.ts describes them. */
export const GET = userRoute({ query: usageQuery }, async ({ app, user, query }) => {
  const range = toRange(query, app.clock());
  const rows = await readUsage(app.kv, user, [range.from, range.to], (first) => app.admit(user, first));
  return json(describeUsage(range, rows, app.config.usage.prices));
});

/** The requested days: at most a year, ending with `to`. */
function toRange({ from, to }: z.infer<typeof usageQuery>, now: Date): UsageRange {
  const last = to ?? now.toISOString().slice(0, 'YYYY-MM-DD'.length);
  const earliest = daysBefore(last, MAX_USAGE_DAYS - 1);
  const requested = from ?? daysBefore(last, DEFAULT_USAGE_DAYS - 1);
  const [, first = last] = [requested, earliest].sort();
  return { from: first, to: last };
}

function daysBefore(day: string, days: number): string {
  return new Date(Date.parse(day) - days * DAY_MS).toISOString().slice(0, 'YYYY-MM-DD'.length);
}
