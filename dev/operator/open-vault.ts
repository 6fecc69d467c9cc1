/** The store and the master keys of a deployment, from an operator's terminal. */
import type { AuditBounds } from '../../lib/audit/audit-log.ts';
import { loadVaultConfig } from '../../lib/config.ts';
import { createKv } from '../../lib/kv/kv.ts';
import { loadKeyRing } from '../../lib/vault/key-ring.ts';
import { createUndiciSend } from '../../lib/outgoing/undici-send.ts';
import type { Rotation } from '../../lib/rotation/rotation.ts';
import { unwrapWithKms } from '../../lib/vault/kms.ts';
import { readConfiguration } from '../settings/configuration.ts';

export type Vault = Rotation & {
  readonly auditBounds: AuditBounds;
  /** Where the store is, to be shown before anything is done to it. */
  readonly storeHost: string;
};

/**
 * From the environment, else `.env.local`, else `.env` of the directory: `KV_REST_API_URL`, `KV_REST_API_TOKEN` and
 * the master keys, as the deployment has them.
 *
 * @throws ConfigError, Problem `vault_unavailable`.
 */
export async function openVault(directory: string): Promise<Vault> {
  const config = loadVaultConfig(await readConfiguration(directory));
  return {
    kv: createKv(config.kv, createUndiciSend()),
    ring: await loadKeyRing(config, unwrapWithKms),
    clock: () => new Date(),
    auditBounds: config.audit,
    storeHost: new URL(config.kv.url).host,
  };
}
