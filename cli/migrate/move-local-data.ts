import type { Parts } from '../../dev/parts/start-parts.ts';
import type { Variables } from '../../dev/settings/configuration.ts';
import { ConfigError } from '../../lib/errors.ts';
import { openDeploymentWith } from '../deployment.ts';
import { count, print } from '../terminal/print.ts';
import { faint } from '../terminal/style.ts';
import { findLegacyUsers } from './legacy-names.ts';
import { moveToTenant } from './move-to-tenant.ts';

/**
 * Moves what an earlier version has kept in the store that was started here. Only this developer uses that store, so
 * nobody has to be asked. A store that is configured stays as it is.
 */
export async function moveLocalData(parts: Parts, variables: Variables): Promise<void> {
  if (parts.env.KV_REST_API_URL === undefined) return;
  try {
    const deployment = await openDeploymentWith(variables);
    const subs = await findLegacyUsers(deployment.kv, () => {});
    if (subs.length === 0) return;
    const { users } = await moveToTenant(
      { ...deployment, apply: true, movesUnreadable: true, onProgress: () => {} },
      subs,
    );
    print(faint(`Moved the data of ${count(users, 'user')} to the names of this version.`));
  } catch (error) {
    // What is wrong with the configuration is printed when the functions have started.
    if (!(error instanceof ConfigError)) throw error;
  }
}
