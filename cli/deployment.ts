/** A deployment's key store and master keys, opened from an operator's terminal. */
import { readConfiguration } from '../dev/settings/configuration.ts';
import type { AuditBounds } from '../lib/audit/audit-log.ts';
import { type Environment, loadVaultConfig } from '../lib/config.ts';
import { tenantOf, toUserId, type UserId } from '../lib/identity/user-id.ts';
import { createKv } from '../lib/kv/kv.ts';
import { assertMoved, hasLegacyData } from '../lib/kv/legacy-data.ts';
import { createUndiciSend } from '../lib/outgoing/undici-send.ts';
import type { Rotation } from '../lib/rotation/rotation.ts';
import { loadKeyRing } from '../lib/vault/key-ring.ts';
import { unwrapWithKms } from '../lib/vault/kms.ts';

export type Deployment = Rotation & {
  readonly auditBounds: AuditBounds;
  /** The tenant of the deployment's users. */
  readonly tenant: string;
  /** Host of the key store, to be shown before anything is done to it. */
  readonly storeHost: string;
};

/**
 * Reads `KV_REST_API_URL`, `KV_REST_API_TOKEN`, the tenant and the master keys from the environment, then from `.env.local` and
 * `.env` in `directory`.
 *
 * @throws ConfigError, Problem `vault_unavailable`.
 */
export async function openDeployment(directory: string): Promise<Deployment> {
  return openDeploymentWith(await readConfiguration(directory));
}

/** The same with these variables. */
export async function openDeploymentWith(variables: Environment): Promise<Deployment> {
  const config = loadVaultConfig(variables);
  return {
    kv: createKv(config.kv, createUndiciSend()),
    ring: await loadKeyRing(config, unwrapWithKms),
    clock: () => new Date(),
    tenant: await tenantOf(config.auth),
    auditBounds: config.audit,
    storeHost: new URL(config.kv.url).host,
  };
}

/**
 * The user of the deployment's tenant with this `sub`.
 *
 * @throws Problem `store_outdated` while the user's data has the names of an earlier version.
 */
export async function findUser({ kv, tenant }: Deployment, sub: string): Promise<UserId> {
  const user = toUserId(tenant, sub);
  assertMoved(await kv.run(hasLegacyData(user)));
  return user;
}
