/** Calls per day as stacked bars, one colour a provider; and the same numbers as a table for those who read them. */
import { html, nothing, svg, type TemplateResult } from 'lit';
import type { Usage } from '../client/activity.ts';
import type { ProviderName } from '../client/answers.ts';
import { hueOf } from './hue.ts';

const HEIGHT = 96;
const BAR = 16;
const GAP = 6;
const DAY_MS = 24 * 60 * 60_000;

type Day = {
  readonly day: string;
  readonly calls: ReadonlyMap<ProviderName, number>;
  readonly total: number;
};

export function callsChart(usage: Usage, nameOf: (provider: ProviderName) => string): TemplateResult {
  const days = sumByDay(usage);
  const providers = [...new Set(usage.rows.map(({ provider }) => provider))];
  const most = Math.max(1, ...days.map(({ total }) => total));
  const total = days.reduce((sum, { total: calls }) => sum + calls, 0);
  const width = days.length * (BAR + GAP) - GAP;
  return html`<figure>
    <figcaption>
      <span>Calls per day</span>
      <ul class="legend" role="list">
        ${providers.map(
          (provider) => html`<li>
            <svg class="swatch" viewBox="0 0 10 10" aria-hidden="true">
              <rect width="10" height="10" rx="3" fill=${colourOf(nameOf(provider))} />
            </svg>
            ${nameOf(provider)}
          </li>`,
        )}
      </ul>
    </figcaption>
    <div class="plot">
      <svg
        class="bars"
        viewBox="0 0 ${width} ${HEIGHT}"
        preserveAspectRatio="none"
        role="img"
        aria-label="${total} calls from ${dayName(usage.from)} to ${dayName(usage.to)}, at most ${most} on one day"
      >
        ${days.map(
          (day, index) => svg`<g transform="translate(${index * (BAR + GAP)} 0)">
          <title>${dayName(day.day)}: ${day.total}</title>
          <rect width=${BAR} height=${HEIGHT} fill="transparent" />
          <rect y=${HEIGHT - 2} width=${BAR} height="2" rx="1" class="base" />
          ${stack(day, providers, most, nameOf)}
        </g>`,
        )}
      </svg>
      <span class="most" aria-hidden="true">${most}</span>
    </div>
    <div class="axis" aria-hidden="true"><span>${dayName(usage.from)}</span><span>${dayName(usage.to)}</span></div>
    <table class="visually-hidden">
      <caption>Calls per day and provider</caption>
      <thead>
        <tr><th scope="col">Day</th>${providers.map((provider) => html`<th scope="col">${nameOf(provider)}</th>`)}</tr>
      </thead>
      <tbody>
        ${days.map(({ day, calls, total: sum }) =>
          sum === 0
            ? nothing
            : html`<tr><th scope="row">${dayName(day)}</th>${providers.map((provider) => html`<td>${calls.get(provider) ?? 0}</td>`)}</tr>`,
        )}
      </tbody>
    </table>
  </figure>`;
}

function stack(
  { calls }: Day,
  providers: readonly ProviderName[],
  most: number,
  nameOf: (provider: ProviderName) => string,
) {
  let top = HEIGHT;
  return providers.map((provider) => {
    const count = calls.get(provider) ?? 0;
    if (count === 0) return nothing;
    // A single call among thousands is still to be seen.
    const height = Math.max(3, (count / most) * (HEIGHT - 4));
    top -= height;
    return svg`<rect y=${top} width=${BAR} height=${height} rx="2" fill=${colourOf(nameOf(provider))} />`;
  });
}

/** Every day of the range, also those without calls. */
function sumByDay({ from, to, rows }: Usage): readonly Day[] {
  const count = Math.round((Date.parse(to) - Date.parse(from)) / DAY_MS) + 1;
  return Array.from({ length: Math.max(1, count) }, (_, index) => {
    const day = new Date(Date.parse(from) + index * DAY_MS).toISOString().slice(0, 10);
    const calls = new Map<ProviderName, number>();
    for (const row of rows) {
      if (row.day === day) calls.set(row.provider, (calls.get(row.provider) ?? 0) + row.calls);
    }
    return { day, calls, total: [...calls.values()].reduce((sum, value) => sum + value, 0) };
  });
}

/** Stands out from a light and from a dark surface. */
function colourOf(name: string): string {
  return `oklch(0.62 0.13 ${hueOf(name)})`;
}

function dayName(day: string): string {
  return new Date(`${day}T00:00:00Z`).toLocaleDateString('en', {
    month: 'short',
    day: 'numeric',
    timeZone: 'UTC',
  });
}
