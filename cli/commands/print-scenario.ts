import type { CheckedCall, ScenarioResult, StoredKeys } from '../../dev/scenario/run-scenario.ts';
import { print, printBad, printGood, printTable } from '../terminal/print.ts';
import { bad, good, strong } from '../terminal/style.ts';

/** Prints the result of each check. Of keys only the last four characters are shown. */
export function printScenario(result: ScenarioResult, maxConcurrent: number, seconds: number): void {
  for (const stored of result.stored) printCheck(stored.ok, describeStored(stored));
  print();

  print(strong(`${result.calls.length} calls, up to ${maxConcurrent} at the same time`));
  print();
  printTable(['caller', 'call', 'provider', 'times', 'paid with', 'whose key'], groupCalls(result.calls));
  print();

  const wrong = result.calls.filter(({ ok }) => !ok).length;
  printCheck(
    wrong === 0,
    wrong === 0
      ? 'every call was paid once, with its caller’s own key, as the providers’ journals show'
      : `${wrong} calls were not paid once with their caller’s own key`,
  );
  const { refusal, environment } = result;
  printCheck(
    refusal.ok,
    `bob has no Anthropic key: ${refusal.status} ${refusal.code}${refusal.ok ? ', and alice’s was not used' : ''}`,
  );
  printCheck(
    environment.ok,
    `process.env of the functions ${environment.ok ? 'never held' : 'held'} a key: looked at ${environment.checks} times, before, during and after the calls`,
  );
  print();
  print(`took ${seconds.toFixed(1)} s`);
  print();
}

function printCheck(ok: boolean, text: string): void {
  if (ok) printGood(text);
  else printBad(text);
}

function describeStored({ user, hints, ok }: StoredKeys): string {
  if (!ok) return `${user}’s keys were not stored correctly`;
  const list = [...hints].map(([provider, hint]) => `${provider} ${hint}`).join(', ');
  return `${user} stored ${hints.size} keys: ${list}`;
}

/** One row for each caller, kind of call and provider. */
function groupCalls(calls: readonly CheckedCall[]): string[][] {
  const groups = new Map<string, CheckedCall[]>();
  for (const call of calls) {
    const { user, kind } = call;
    const row = `${user} ${kind.name} ${kind.provider}`;
    groups.set(row, [...(groups.get(row) ?? []), call]);
  }
  const rows = [...groups.values()].map(describeGroup);
  return rows.sort(([one = ''], [other = '']) => one.localeCompare(other));
}

function describeGroup(group: readonly CheckedCall[]): string[] {
  const payments = group.flatMap((call) => call.payments);
  const owners = unique(payments.map(({ owner }) => owner)) || 'nobody';
  const [first] = group;
  return [
    first?.user ?? '',
    first?.kind.name ?? '',
    first?.kind.provider ?? '',
    String(group.length),
    unique(payments.map(({ hint }) => hint)),
    group.every(({ ok }) => ok) ? good(`${owners}’s ✓`) : bad(`${owners}’s ✗`),
  ];
}

function unique(values: readonly string[]): string {
  return [...new Set(values)].join(', ');
}
