/** The operator's optional price table. A model that is not listed has no cost; there are no default prices. */
import { z } from 'zod';
import { type ProviderId, providerIds } from '../providers/catalogue.ts';
import { modelName } from './model-name.ts';
import type { UsageRow } from './usage-ledger.ts';

const amount = z.number().nonnegative();
/** Prices per million tokens. `cachedInput` and `cacheWrite` default to the price of `input`. */
const price = z.strictObject({
  input: amount,
  output: amount,
  cachedInput: amount.optional(),
  cacheWrite: amount.optional(),
});

const table = z.strictObject({
  currency: z.string().regex(/^[A-Z]{3}$/),
  perMillionTokens: z.partialRecord(z.enum(providerIds), z.record(modelName, price)),
});

export type PriceTable = {
  readonly currency: string;
  readonly perMillionTokens: {
    readonly [id in ProviderId]?: Readonly<Record<string, z.infer<typeof price>>>;
  };
};

const INVALID_TABLE =
  'must be JSON such as {"currency":"USD","perMillionTokens":{"openai":{"gpt-5.4-mini":{"input":0.25,"output":2}}}}';

/** The value of `USAGE_PRICES`: unset, or a table in JSON. */
export const priceTable = z
  .string()
  .transform((text, context) => {
    try {
      return JSON.parse(text);
    } catch {
      context.addIssue({ code: 'custom', message: INVALID_TABLE });
      return z.NEVER;
    }
  })
  .refine((value) => table.safeParse(value).success, INVALID_TABLE)
  .pipe(table)
  .optional();

const MILLION = 1_000_000;

/** The cost of a row. Null if the table has no price for it, or if some of its calls reported no token counts. */
export function costOf(row: UsageRow, prices: PriceTable): number | null {
  const listed = prices.perMillionTokens[row.provider];
  if (listed === undefined || row.model === null || row.measuredCalls < row.calls) return null;
  const found = Object.hasOwn(listed, row.model) ? listed[row.model] : undefined;
  if (found === undefined) return null;
  const { input, output, cachedInput = input, cacheWrite = input } = found;
  const micros =
    (row.input - row.cachedInput) * input +
    (row.cachedInput + row.cacheRead) * cachedInput +
    row.cacheWrite * cacheWrite +
    row.output * output;
  return Math.round(micros) / MILLION;
}
