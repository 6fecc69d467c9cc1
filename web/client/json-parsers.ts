/**
 * Parsers for JSON values. Each function returns the value with its type, or throws a TypeError. The page uses
 * these instead of zod, because zod is ten times as large as the rest of the client.
 */

/** A copy of the object with all its members. */
export function parseObject(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw unexpected('an object');
  return Object.fromEntries(Object.entries(value));
}

export function parseString(value: unknown): string {
  if (typeof value !== 'string') throw unexpected('a string');
  return value;
}

export function parseBoolean(value: unknown): boolean {
  if (typeof value !== 'boolean') throw unexpected('true or false');
  return value;
}

export function parseNumber(value: unknown): number {
  if (typeof value !== 'number') throw unexpected('a number');
  return value;
}

export function parseInteger(value: unknown): number {
  if (!Number.isSafeInteger(value)) throw unexpected('a whole number');
  return parseNumber(value);
}

export function parseArray<T>(value: unknown, parseEntry: (entry: unknown) => T): readonly T[] {
  if (!Array.isArray(value)) throw unexpected('a list');
  return value.map((entry: unknown) => parseEntry(entry));
}

export function nullable<T>(value: unknown, parse: (value: unknown) => T): T | null {
  return value === null ? null : parse(value);
}

export function optional<T>(value: unknown, parse: (value: unknown) => T): T | undefined {
  return value === undefined ? undefined : parse(value);
}

export function parseOneOf<T extends string>(value: unknown, allowed: readonly T[]): T {
  const found = allowed.find((entry) => entry === value);
  if (found === undefined) throw unexpected(`one of ${allowed.join(', ')}`);
  return found;
}

function unexpected(expected: string): TypeError {
  return new TypeError(`Expected ${expected}.`);
}
