/**
 * Reading JSON whose form is promised but not proven. Each function gives the value with its type or throws a
 * TypeError. The page has these few lines instead of the server's schema library, which is ten times the rest.
 */

/** The members of an object. */
export function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw unexpected('an object');
  return Object.fromEntries(Object.entries(value));
}

export function text(value: unknown): string {
  if (typeof value !== 'string') throw unexpected('a string');
  return value;
}

export function flag(value: unknown): boolean {
  if (typeof value !== 'boolean') throw unexpected('true or false');
  return value;
}

export function number(value: unknown): number {
  if (typeof value !== 'number') throw unexpected('a number');
  return value;
}

export function wholeNumber(value: unknown): number {
  if (!Number.isSafeInteger(value)) throw unexpected('a whole number');
  return number(value);
}

export function list<T>(value: unknown, decode: (entry: unknown) => T): readonly T[] {
  if (!Array.isArray(value)) throw unexpected('a list');
  return value.map((entry: unknown) => decode(entry));
}

export function nullable<T>(value: unknown, decode: (value: unknown) => T): T | null {
  return value === null ? null : decode(value);
}

export function optional<T>(value: unknown, decode: (value: unknown) => T): T | undefined {
  return value === undefined ? undefined : decode(value);
}

export function oneOf<T extends string>(value: unknown, allowed: readonly T[]): T {
  const found = allowed.find((entry) => entry === value);
  if (found === undefined) throw unexpected(`one of ${allowed.join(', ')}`);
  return found;
}

function unexpected(expected: string): TypeError {
  return new TypeError(`Expected ${expected}.`);
}
