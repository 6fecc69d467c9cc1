/** What the scan finds. docs/legacy.md has a section for each kind. */

export const KINDS = {
  read: 'reads a provider’s variable',
  'read-at-load': 'reads a provider’s variable while the module loads',
  write: 'writes a provider’s variable',
  'read-by-name': 'reads a variable whose name is computed',
  captured: 'stores the environment object while the module loads',
  'client-at-load': 'builds an SDK client while the module loads',
  'client-kept': 'shares an SDK client between requests',
  driver: 'shares a database connection between requests: await its calls, and read no key in its callbacks',
  memoised: 'shares cached results between requests',
  queue: 'puts work of several requests into one queue',
  emitter: 'shares an emitter between requests',
} as const;

export type Kind = keyof typeof KINDS;

export type Finding = {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly column: number;
  readonly kind: Kind;
  /** The variable, or the package that it comes from. */
  readonly what: string;
};
