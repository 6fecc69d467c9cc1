/** What the scan finds. docs/legacy.md has a section for each kind. */

export const KINDS = {
  read: 'reads a provider’s variable',
  'read-at-load': 'reads a provider’s variable while the module loads',
  write: 'writes a provider’s variable',
  'read-by-name': 'reads a variable whose name is computed',
  captured: 'keeps the environment object from while the module loads',
  'client-at-load': 'builds an SDK client while the module loads',
  'client-kept': 'keeps an SDK client from one request to the next',
  memoised: 'remembers results from one request to the next',
  queue: 'queues work of several requests together',
  emitter: 'shares an emitter between requests',
} as const;

export type Kind = keyof typeof KINDS;

export type Finding = {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly column: number;
  readonly kind: Kind;
  /** The variable, or what the thing was imported as and from. */
  readonly what: string;
};
