/** Chart of the calls per day: stacked bars with one colour for each provider. A hidden table has the same numbers for screen readers. */
import { html, nothing, svg, type TemplateResult } from 'lit';
import type { Usage } from '../client/activity.ts';
import type { ProviderId } from '../client/api-responses.ts';
import { providerHue } from './providers.ts';

const HEIGHT = 96;
const BAR = 16;
const GAP = 6;
const DAY_MS = 24 * 60 * 60_000;

type Day = {
  readonly day: string;
  readonly calls: ReadonlyMap<ProviderId, number>;
  readonly total: number;
};

export function callsChart(usage: Usage, nameOf: (provider: ProviderId) => string): TemplateResult {
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
              <rect width="10" height="10" rx="3" fill=${providerColour(nameOf(provider))} />
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
        aria-label="${total} calls from ${formatDay(usage.from)} to ${formatDay(usage.to)}, at most ${most} on one day"
      >
        ${days.map(
          (day, index) => svg`<g transform="translate(${index * (BAR + GAP)} 0)">
          <title>${formatDay(day.day)}: ${day.total}</title>
          <rect width=${BAR} height=${HEIGHT} fill="transparent" />
          <rect y=${HEIGHT - 2} width=${BAR} height="2" rx="1" class="base" />
          ${stackedBars(day, providers, most, nameOf)}
        </g>`,
        )}
      </svg>
      <span class="most" aria-hidden="true">${most}</span>
    </div>
    <div class="axis" aria-hidden="true"><span>${formatDay(usage.from)}</span><span>${formatDay(usage.to)}</span></div>
    <table class="visually-hidden">
      <caption>Calls per day and provider</caption>
      <thead>
        <tr><th scope="col">Day</th>${providers.map((provider) => html`<th scope="col">${nameOf(provider)}</th>`)}</tr>
      </thead>
      <tbody>
        ${days.map(({ day, calls, total: sum }) =>
          sum === 0
            ? nothing
            : html`<tr><th scope="row">${formatDay(day)}</th>${providers.map((provider) => html`<td>${calls.get(provider) ?? 0}</td>`)}</tr>`,
        )}
      </tbody>
    </table>
  </figure>`;
}

function stackedBars(
  { calls }: Day,
  providers: readonly ProviderId[],
  most: number,
  nameOf: (provider: ProviderId) => string,
) {
  let top = HEIGHT;
  return providers.map((provider) => {
    const count = calls.get(provider) ?? 0;
    if (count === 0) return nothing;
    // Keeps a single call visible next to thousands.
    const height = Math.max(3, (count / most) * (HEIGHT - 4));
    top -= height;
    return svg`<rect y=${top} width=${BAR} height=${height} rx="2" fill=${providerColour(nameOf(provider))} />`;
  });
}

/** All days of the range, including days without calls. */
function sumByDay({ from, to, rows }: Usage): readonly Day[] {
  const count = Math.round((Date.parse(to) - Date.parse(from)) / DAY_MS) + 1;
  return Array.from({ length: Math.max(1, count) }, (_, index) => {
    const day = new Date(Date.parse(from) + index * DAY_MS).toISOString().slice(0, 10);
    const calls = new Map<ProviderId, number>();
    for (const row of rows) {
      if (row.day === day) calls.set(row.provider, (calls.get(row.provider) ?? 0) + row.calls);
    }
    return { day, calls, total: [...calls.values()].reduce((sum, value) => sum + value, 0) };
  });
}

/** Has enough contrast on a light and on a dark background. */
function providerColour(name: string): string {
  return `oklch(0.62 0.13 ${providerHue(name)})`;
}

function formatDay(day: string): string {
  return new Date(`${day}T00:00:00Z`).toLocaleDateString('en', {
    month: 'short',
    day: 'numeric',
    timeZone: 'UTC',
  });
}
