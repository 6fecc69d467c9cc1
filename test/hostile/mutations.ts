/** Deliberate breaks of the service, one edit each. `run-mutations.ts` checks that the suite of the family finds each. */
import type { Family } from './family.ts';

export type Mutation = {
  readonly family: Family;
  /** What is broken. */
  readonly title: string;
  readonly file: string;
  /** Occurs exactly once in the file. */
  readonly search: string;
  readonly replace: string;
};

export const mutations: readonly Mutation[] = [];
