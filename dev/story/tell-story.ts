import { print, printBad, printGood, printTable } from '../../cli/terminal/print.ts';
import { bad, good, strong } from '../../cli/terminal/style.ts';
import type { JudgedCall, StoredKeys, Story } from './play-story.ts';

/** Prints what happened, and how it is known. Of keys only the last four characters are shown. */
export function tellStory(story: Story, mostAtOnce: number, seconds: number): void {
  for (const stored of story.stored) say(stored.ok, describeStored(stored));
  print();

  print(strong(`${story.calls.length} calls, up to ${mostAtOnce} at the same time`));
  print();
  printTable(['caller', 'call', 'provider', 'times', 'paid with', 'whose key'], groupCalls(story.calls));
  print();

  const wrong = story.calls.filter(({ ok }) => !ok).length;
  say(
    wrong === 0,
    wrong === 0
      ? 'every call was paid once, with its caller’s own key: so say the providers’ journals'
      : `${wrong} calls were not paid once with their caller’s own key`,
  );
  const { refusal, environment } = story;
  say(
    refusal.ok,
    `bob has no Anthropic key: ${refusal.status} ${refusal.code}${refusal.ok ? ', and alice’s was not used' : ''}`,
  );
  say(
    environment.ok,
    `process.env of the functions ${environment.ok ? 'never held' : 'held'} a key: looked at ${environment.looks} times, before, during and after the calls`,
  );
  print();
  print(`told in ${seconds.toFixed(1)} s`);
  print();
}

function say(ok: boolean, text: string): void {
  if (ok) printGood(text);
  else printBad(text);
}

function describeStored({ user, hints, ok }: StoredKeys): string {
  if (!ok) return `${user}’s keys were not stored as they should be`;
  const list = [...hints].map(([provider, hint]) => `${provider} ${hint}`).join(', ');
  return `${user} stored ${hints.size} keys: ${list}`;
}

/** One row for each caller, way and provider. */
function groupCalls(calls: readonly JudgedCall[]): string[][] {
  const groups = new Map<string, JudgedCall[]>();
  for (const call of calls) {
    const { user, way } = call;
    const row = `${user} ${way.name} ${way.provider}`;
    groups.set(row, [...(groups.get(row) ?? []), call]);
  }
  const rows = [...groups.values()].map(describeGroup);
  return rows.sort(([one = ''], [other = '']) => one.localeCompare(other));
}

function describeGroup(group: readonly JudgedCall[]): string[] {
  const payments = group.flatMap((call) => call.payments);
  const owners = unique(payments.map(({ owner }) => owner)) || 'nobody';
  const [first] = group;
  return [
    first?.user ?? '',
    first?.way.name ?? '',
    first?.way.provider ?? '',
    String(group.length),
    unique(payments.map(({ hint }) => hint)),
    group.every(({ ok }) => ok) ? good(`${owners}’s ✓`) : bad(`${owners}’s ✗`),
  ];
}

function unique(values: readonly string[]): string {
  return [...new Set(values)].join(', ');
}
