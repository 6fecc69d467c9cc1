/** What the old system knows about one user, whatever it was read from. */
import type { Secret } from '../../lib/secret.ts';

export type OldKey = {
  /** As the old system wrote it: an id, a name or an environment variable. */
  readonly provider: string;
  readonly key: Secret;
  readonly createdAt: Date | undefined;
  readonly updatedAt: Date | undefined;
};

export type OldSession = {
  readonly currentStep: string | undefined;
  /** 0 to 1, or 0 to 100. */
  readonly progress: number | undefined;
  readonly startedAt: Date | undefined;
  readonly completedAt: Date | undefined;
};

export type OldUser = {
  /** Undefined where the old system has keys and no owner for them. */
  readonly user: string | undefined;
  readonly keys: readonly OldKey[];
  readonly sessions: readonly OldSession[];
};

export type Source = {
  /** How many users `users` will give. */
  countUsers(): Promise<number>;
  users(): AsyncIterable<OldUser>;
  close(): Promise<void>;
};
