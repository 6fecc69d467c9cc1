/** Prints samples as Markdown tables. */
import { checkGoals, describeGoal } from './goals.ts';
import { figureOf, type Metric, metrics, ratioOf, type Sample, type Spread } from './samples.ts';
import { PART } from './scenarios/parts.ts';

/** One table for each scenario. The ratios are to its first contender with that figure, or to `reference`. */
export function report(samples: readonly Sample[], references: Readonly<Record<string, string>>): string {
  const scenarios = [...new Set(samples.map(({ scenario }) => scenario))].filter(
    (scenario) => !scenario.startsWith(PART),
  );
  const tables = scenarios.map((scenario) => {
    const inScenario = samples.filter((sample) => sample.scenario === scenario);
    return `${scenario}\n\n${scenarioTable(inScenario, scenario, references[scenario])}`;
  });
  return [...tables, ...partTable(samples), ...goalTable(samples)].join('\n\n');
}

/** The parts of a call, one row each. */
function partTable(samples: readonly Sample[]): readonly string[] {
  const parts = [...new Set(samples.map(({ scenario }) => scenario))].filter((name) => name.startsWith(PART));
  if (parts.length === 0) return [];
  const rows = parts.map((scenario) => {
    const place = { scenario, metric: 'cpuMicros' } as const;
    const [byHand, own] = ['by hand', 'userkeys'].map((who) => figureOf(samples, place, who)?.median ?? 0);
    const ratio = ratioOf(samples, place, ['userkeys', 'by hand']);
    return [
      scenario.slice(PART.length),
      short(byHand ?? 0),
      short(own ?? 0),
      ratio === undefined ? '' : spread(ratio),
    ];
  });
  const head = ['CPU µs a call', 'by hand', 'userkeys', '× by hand'];
  return [`parts of a call\n\n${markdown([head, ...rows])}`];
}

function scenarioTable(samples: readonly Sample[], scenario: string, reference: string | undefined): string {
  const contenders = [...new Set(samples.map(({ contender }) => contender))];
  const base = reference ?? contenders[0] ?? '';
  const shown = Object.keys(metrics).filter((name): name is Metric =>
    samples.some(({ figures }) => name in figures),
  );
  const head = ['', ...shown.flatMap((metric) => [metrics[metric], `× ${base}`])];
  const rows = contenders.map((contender) => [
    contender,
    ...shown.flatMap((metric) => {
      const figure = figureOf(samples, { scenario, metric }, contender);
      const ratio = ratioOf(samples, { scenario, metric }, [contender, base]);
      return [figure === undefined ? '' : short(figure.median), ratio === undefined ? '' : spread(ratio)];
    }),
  ]);
  return markdown([head, ...rows]);
}

function goalTable(samples: readonly Sample[]): readonly string[] {
  const results = checkGoals(samples);
  if (results.length === 0) return [];
  const rows = results.map((result) => [
    describeGoal(result),
    spread(result.ratio),
    `≤ ${result.most.toFixed(2)}`,
    result.isMet ? 'ok' : 'missed',
  ]);
  return [`Limits\n\n${markdown([['ratio', 'measured', 'limit', ''], ...rows])}`];
}

/** Three significant digits. */
function short(value: number): string {
  if (value >= 1_000) return Math.round(value).toLocaleString('en-US');
  return value >= 100 ? value.toFixed(0) : value.toFixed(value >= 10 ? 1 : 2);
}

function spread({ median, lowest, highest }: Spread): string {
  return `${median.toFixed(2)} (${lowest.toFixed(2)}–${highest.toFixed(2)})`;
}

/** With columns of equal width, so that it can be read as it is. The first column is text, the others are numbers. */
export function markdown(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(3, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (row: readonly string[]) =>
    `| ${widths.map((width, column) => pad(row[column] ?? '', width, column)).join(' | ')} |`;
  const rule = `|${widths.map((width, column) => (column === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`;
  const [head = [], ...body] = rows;
  return [line(head), rule, ...body.map(line)].join('\n');
}

function pad(text: string, width: number, column: number): string {
  return column === 0 ? text.padEnd(width) : text.padStart(width);
}
