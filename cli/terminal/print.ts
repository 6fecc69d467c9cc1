import Table from 'cli-table3';
import { bad, colorsFor, faint, good, link, strong } from './style.ts';

/** No border: columns are separated by three spaces. */
const NO_BORDER = {
  ...{ top: '', 'top-mid': '', 'top-left': '', 'top-right': '' },
  ...{ bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '' },
  ...{ mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
  ...{ left: '', right: '', middle: '   ' },
};

export function print(text = ''): void {
  process.stdout.write(text === '' ? '\n' : `  ${text}\n`);
}

export function printTitle(command: string, subtitle: string): void {
  print();
  print(`${strong(`userkeys ${command}`)}  ${faint(subtitle)}`);
  print();
}

/** One address a line: name, URL, note. */
export function printAddresses(
  rows: readonly { readonly name: string; readonly url: string; readonly note: string }[],
): void {
  printRows(rows.map(({ name, url, note }) => [name, link(url), faint(note)]));
  print();
}

/** Commands to paste, each on its own line under a comment that says what it does. */
export function printCommands(title: string, commands: readonly (readonly [string, string])[]): void {
  print(strong(title));
  print();
  for (const [what, command] of commands) {
    print(faint(`# ${what}`));
    print(command);
    print();
  }
}

/** A line of a report: this is as it should be. */
export function printGood(text: string): void {
  print(`${good('✓')} ${text}`);
}

/** A line of a report: this is not as it should be. */
export function printBad(text: string): void {
  print(`${bad('✗')} ${text}`);
}

/** Why a command failed, on standard error. */
export function printError(text: string, ...details: readonly string[]): void {
  process.stderr.write(`  ${colorsFor(process.stderr).red('✗')} ${text}\n`);
  for (const detail of details) process.stderr.write(`  ${detail}\n`);
}

export function printTable(header: readonly string[], rows: readonly (readonly string[])[]): void {
  printRows([header.map((title) => faint(title)), ...rows]);
}

/** Aligned columns. Colours do not count towards the width of a cell. */
function printRows(rows: readonly (readonly string[])[]): void {
  const table = new Table({ chars: NO_BORDER, style: { border: [], 'padding-left': 0, 'padding-right': 0 } });
  table.push(...rows.map((row) => [...row]));
  for (const line of table.toString().split('\n')) print(line.trimEnd());
}

/** `1 record`, `2 records`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
