/** Table of calls, tokens and cost for each provider and model. */
import { html, nothing, type TemplateResult } from 'lit';
import type { Usage, UsageRow } from '../client/activity.ts';
import type { ProviderId } from '../client/api-responses.ts';

type Sum = Omit<UsageRow, 'day'>;

export function usageTable(usage: Usage, nameOf: (provider: ProviderId) => string): TemplateResult {
  const sums = sumByModel(usage.rows);
  const unmeasured = sums.reduce((calls, sum) => calls + sum.calls - sum.measuredCalls, 0);
  const { currency } = usage;
  return html`<div class="scroll" role="region" aria-label="Usage by model" tabindex="0">
      <table class="usage">
        <thead>
          <tr>
            <th scope="col">Provider and model</th>
            <th scope="col" class="number">Calls</th>
            <th scope="col" class="number">Tokens in</th>
            <th scope="col" class="number">Tokens out</th>
            ${currency === undefined ? nothing : html`<th scope="col" class="number">Cost</th>`}
          </tr>
        </thead>
        <tbody>
          ${sums.map(
            (sum) => html`<tr>
              <th scope="row">${nameOf(sum.provider)}${sum.model === null ? nothing : html` <span class="model">${sum.model}</span>`}</th>
              <td class="number">${formatCount(sum.calls)}</td>
              <td class="number">${formatCount(sum.inputTokens)}</td>
              <td class="number">${formatCount(sum.outputTokens)}</td>
              ${currency === undefined ? nothing : html`<td class="number">${formatCost(sum.cost, currency)}</td>`}
            </tr>`,
          )}
        </tbody>
      </table>
    </div>
    <p class="note">
      The token counts come from the
      providers.${unmeasured === 0 ? '' : ` ${unmeasured === 1 ? '1 call has' : `${formatCount(unmeasured)} calls have`} no token count.`}
    </p>`;
}

function sumByModel(rows: readonly UsageRow[]): readonly Sum[] {
  const sums = new Map<string, Sum>();
  for (const { day: _, ...row } of rows) {
    const name = `${row.provider} ${row.model}`;
    const previous = sums.get(name);
    sums.set(name, previous === undefined ? row : add(previous, row));
  }
  return [...sums.values()].sort((a, b) => b.calls - a.calls);
}

function add(a: Sum, b: Sum): Sum {
  return {
    ...a,
    calls: a.calls + b.calls,
    measuredCalls: a.measuredCalls + b.measuredCalls,
    inputTokens: addKnown(a.inputTokens, b.inputTokens),
    outputTokens: addKnown(a.outputTokens, b.outputTokens),
    // Without the unknown part the sum would be too low.
    cost: a.cost == null || b.cost == null ? null : a.cost + b.cost,
  };
}

function addKnown(a: number | null, b: number | null): number | null {
  return a === null ? b : b === null ? a : a + b;
}

/** "1,234", or a dash if the count is not known. */
export function formatCount(count: number | null): string {
  return count === null ? '–' : count.toLocaleString('en');
}

function formatCost(cost: number | null | undefined, currency: string): string {
  if (cost == null) return '–';
  return cost.toLocaleString('en', { style: 'currency', currency, maximumFractionDigits: 4 });
}
