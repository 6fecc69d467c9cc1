/** Calls and tokens of the range, by provider and model. */
import { html, nothing, type TemplateResult } from 'lit';
import type { Usage, UsageRow } from '../client/activity.ts';
import type { ProviderName } from '../client/answers.ts';

type Sum = Omit<UsageRow, 'day'>;

export function usageTable(usage: Usage, nameOf: (provider: ProviderName) => string): TemplateResult {
  const sums = sumUp(usage.rows);
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
              <td class="number">${grouped(sum.calls)}</td>
              <td class="number">${grouped(sum.inputTokens)}</td>
              <td class="number">${grouped(sum.outputTokens)}</td>
              ${currency === undefined ? nothing : html`<td class="number">${money(sum.cost, currency)}</td>`}
            </tr>`,
          )}
        </tbody>
      </table>
    </div>
    <p class="note">
      Tokens as the providers count
      them.${unmeasured === 0 ? '' : ` ${unmeasured === 1 ? 'One call came' : `${grouped(unmeasured)} calls came`} without such figures.`}
    </p>`;
}

function sumUp(rows: readonly UsageRow[]): readonly Sum[] {
  const sums = new Map<string, Sum>();
  for (const { day: _, ...row } of rows) {
    const name = `${row.provider} ${row.model}`;
    const former = sums.get(name);
    sums.set(name, former === undefined ? row : add(former, row));
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
    // A sum with an unknown part would be too low a price.
    cost: a.cost == null || b.cost == null ? null : a.cost + b.cost,
  };
}

function addKnown(a: number | null, b: number | null): number | null {
  return a === null ? b : b === null ? a : a + b;
}

function grouped(count: number | null): string {
  return count === null ? '–' : count.toLocaleString('en');
}

function money(cost: number | null | undefined, currency: string): string {
  if (cost == null) return '–';
  return cost.toLocaleString('en', { style: 'currency', currency, maximumFractionDigits: 4 });
}
