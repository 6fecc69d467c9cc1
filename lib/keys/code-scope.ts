/** Keys for code that calls providers itself: `withUserKeys` and `withUserEnv`. */
import type { Journal, OpenJournal } from '../audit/journal.ts';
import { type ProblemCode, toPublicProblem } from '../errors.ts';
import type { UserId } from '../identity/user-id.ts';
import { type ProviderId, providerIds } from '../providers/catalogue.ts';
import { startStages } from '../telemetry/stages.ts';
import type { KeyScope, KeyUse } from './key-scope.ts';

type KeySource = {
  openJournal(...call: Parameters<OpenJournal>): Promise<Journal>;
  openKeys(user: UserId, providers: readonly ProviderId[], use: KeyUse): Promise<KeyScope>;
};

export type CodeScope = {
  readonly keys: KeyScope;
  /** Closes the scope and records which keys were used. */
  end(outcome: 'ok' | ProblemCode): void;
};

/**
 * Opens a scope for all of a user's keys, with a journal of its own. Counts as one call of the user's.
 *
 * @throws Problem `rate_limited`, `store_unavailable`.
 */
export async function openCodeScope(app: KeySource, user: UserId): Promise<CodeScope> {
  const requestId = crypto.randomUUID();
  const journal = await app.openJournal({ user, requestId, stages: startStages(), action: 'use' });
  journal.note({ route: 'code' });
  const end: CodeScope['end'] = (outcome) => journal.end({ status: null, outcome });
  try {
    return { keys: await app.openKeys(user, providerIds, { journal }), end };
  } catch (error) {
    end(toPublicProblem(error).code);
    throw error;
  }
}

/** Runs code with the user's keys and ends the scope once the code has settled. */
export async function runWithKeys<T>(
  app: KeySource,
  user: UserId,
  run: (keys: KeyScope) => T | Promise<T>,
): Promise<T> {
  const { keys, end } = await openCodeScope(app, user);
  try {
    const result = await run(keys);
    end('ok');
    return result;
  } catch (error) {
    end(toPublicProblem(error).code);
    throw error;
  }
}
