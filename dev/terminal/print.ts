import { stripVTControlCharacters } from 'node:util';
import { bad, faint, good, link, strong } from './style.ts';

export function print(text = ''): void {
  process.stdout.write(text === '' ? '\n' : `  ${text}\n`);
}

export function printTitle(command: string, subtitle: string): void {
  print();
  print(`${strong(`userkeys ${command}`)}  ${faint(subtitle)}`);
  print();
}

/** One address a line: what it is, where, and a remark. */
export function printAddresses(
  rows: readonly { readonly name: string; readonly url: string; readonly note: string }[],
): void {
  const nameWidth = Math.max(...rows.map(({ name }) => name.length));
  const urlWidth = Math.max(...rows.map(({ url }) => url.length));
  for (const { name, url, note } of rows) {
    print(`${name.padEnd(nameWidth)}   ${link(url)}${' '.repeat(urlWidth - url.length)}   ${faint(note)}`);
  }
  print();
}

/** Commands to paste, each on one line of its own under what it does. */
export function printCommands(title: string, commands: readonly (readonly [string, string])[]): void {
  print(strong(title));
  print();
  for (const [what, command] of commands) {
    print(faint(`# ${what}`));
    print(command);
    print();
  }
}

export function printGood(text: string): void {
  print(`${good('✓')} ${text}`);
}

export function printBad(text: string): void {
  print(`${bad('✗')} ${text}`);
}

/** A table with aligned columns. A cell's own style does not count for its width. */
export function printTable(header: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => width(row[column] ?? ''))),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => cell + ' '.repeat(Math.max(0, (widths[column] ?? 0) - width(cell))))
      .join('   ')
      .trimEnd();
  print(faint(line(header)));
  for (const row of rows) print(line(row));
}

function width(cell: string): number {
  return stripVTControlCharacters(cell).length;
}
