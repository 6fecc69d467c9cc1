/** Options that take a value, and the check of that value. A wrong value is reported as wrong usage. */
import { existsSync } from 'node:fs';
import { InvalidArgumentError, Option } from '@commander-js/extra-typings';
import { isSubject } from '../lib/identity/user-id.ts';

const DEFAULT_PORT = 3000;
const MAX_PORT = 65_535;
const DEFAULT_AUDIT_ENTRIES = 50;
const MAX_AUDIT_ENTRIES = 99_999;

export function portOption() {
  return new Option('--port <number>', 'port of the functions; the next free one if it is taken')
    .default(DEFAULT_PORT)
    .argParser(parsePort);
}

export function dataOption() {
  return new Option('--data <directory>', 'where keys and data are kept between runs').default('.userkeys');
}

export function userOption() {
  return new Option('--user <sub>', 'the `sub` of the user’s session token')
    .argParser(parseSubject)
    .makeOptionMandatory();
}

export function applyOption() {
  return new Option('--apply', 'write; without it, only report what would be moved');
}

export function settingsOption() {
  return new Option('--settings <file>', 'file with the deployment’s variables, such as VAULT_KEYS');
}

/** How many entries of an audit log are printed. */
export function lastOption() {
  return new Option('--last <number>', `print at most this many entries, 1 to ${MAX_AUDIT_ENTRIES}`)
    .default(DEFAULT_AUDIT_ENTRIES)
    .argParser(parseEntries);
}

function parsePort(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= MAX_PORT) return Number(text);
  throw new InvalidArgumentError(`Give a number from 0 to ${MAX_PORT}.`);
}

function parseEntries(text: string): number {
  if (/^[1-9]\d{0,4}$/.test(text)) return Number(text);
  throw new InvalidArgumentError(`Give a number from 1 to ${MAX_AUDIT_ENTRIES}.`);
}

function parseSubject(text: string): string {
  if (isSubject(text)) return text;
  throw new InvalidArgumentError('Give 1 to 255 printable ASCII characters.');
}

/** Collects the paths of `[path...]`. */
export function parsePath(path: string, previous: readonly string[] | undefined): readonly string[] {
  if (existsSync(path)) return [...(previous ?? []), path];
  throw new InvalidArgumentError('There is no such file or directory.');
}
