/** Reads the master-key settings from the environment. Messages name variables and never contain a value. */
import { Secret } from '../secret.ts';
import { parseMasterKeys } from './master-keys.ts';
import { parseWrappedKeys, regionOfKmsKey, type WrappedKeys } from './wrapped-keys.ts';

export type VaultSettings = {
  /** The validated text of `VAULT_KEYS`; empty if there are only wrapped keys. */
  readonly vaultKeys: Secret;
  /** The keys of `VAULT_KEYS_KMS`, which come before those of `VAULT_KEYS`. */
  readonly wrappedKeys: WrappedKeys | undefined;
};

type ConfigIssue = { readonly variable: string; readonly message: string };

/** The caller must remove empty variables first. If there are issues, `settings` must not be used. */
export function readVaultSettings(set: Readonly<Record<string, string | undefined>>): {
  readonly settings: VaultSettings;
  readonly issues: readonly ConfigIssue[];
} {
  const issues: ConfigIssue[] = [];
  const attempt = <T>(variable: string, read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      issues.push({ variable, message: error instanceof Error ? error.message : 'is malformed' });
      return undefined;
    }
  };
  const { VAULT_KEYS, VAULT_KEYS_KMS, VAULT_KMS_KEY, AWS_ROLE_ARN } = set;
  if (VAULT_KEYS !== undefined) attempt('VAULT_KEYS', () => parseMasterKeys(VAULT_KEYS));
  else if (VAULT_KEYS_KMS === undefined) issues.push({ variable: 'VAULT_KEYS', message: 'is missing' });
  const vaultKeys = new Secret(VAULT_KEYS ?? '');
  if (VAULT_KEYS_KMS === undefined) return { settings: { vaultKeys, wrappedKeys: undefined }, issues };

  const entries = attempt('VAULT_KEYS_KMS', () => parseWrappedKeys(VAULT_KEYS_KMS));
  const region = attempt('VAULT_KMS_KEY', () => regionOfKmsKey(VAULT_KMS_KEY));
  const wrappedKeys =
    entries && region && VAULT_KMS_KEY
      ? { entries, kmsKey: VAULT_KMS_KEY, region, roleArn: AWS_ROLE_ARN }
      : undefined;
  return { settings: { vaultKeys, wrappedKeys }, issues };
}
