/** Parses `VAULT_KEYS_KMS`: master keys that only a key management service can open. */
import { assertUniqueKids, KID, type MasterKey } from './master-keys.ts';

export type WrappedKeys = {
  readonly entries: readonly { readonly kid: string; readonly ciphertext: Uint8Array }[];
  /** The ARN of the AWS KMS key that opens them. */
  readonly kmsKey: string;
  /** The AWS region of that key. */
  readonly region: string;
  /** The AWS role to assume with the deployment's identity token. Undefined: the AWS SDK's default credentials. */
  readonly roleArn: string | undefined;
};

/** Wrapped keys cannot be opened with these settings. The message is a fixed text that names positions only. */
export class WrappedKeysError extends Error {
  override readonly name = 'WrappedKeysError';
}

/**
 * Opens wrapped keys and returns them in the same order.
 *
 * @throws WrappedKeysError, or Problem `vault_unavailable` when the service does not answer.
 */
export type UnwrapKeys = (wrapped: WrappedKeys) => Promise<readonly MasterKey[]>;

const BASE64 = /^[A-Za-z0-9+/]{40,8192}={0,2}$/;

/**
 * Parses `kid:base64(ciphertext)` entries, comma-separated. `aws kms encrypt` prints ciphertexts in this form.
 *
 * @throws Error with a fixed message that names the wrong entry.
 */
export function parseWrappedKeys(text: string): WrappedKeys['entries'] {
  const entries = text.split(',').map((entry, index) => {
    const separator = entry.indexOf(':');
    const kid = entry.slice(0, separator).trim();
    const encoded = entry.slice(separator + 1).trim();
    if (separator < 1 || !KID.test(kid) || !BASE64.test(encoded)) {
      throw new Error(`entry ${index + 1} must be kid:base64(ciphertext of 32 bytes); see docs/rotation.md`);
    }
    return { kid, ciphertext: Uint8Array.from(atob(encoded), (character) => character.charCodeAt(0)) };
  });
  assertUniqueKids(entries);
  return entries;
}

const KMS_KEY_ARN = /^arn:aws[a-z-]*:kms:([a-z0-9-]{4,32}):\d{12}:(?:key|alias)\/[A-Za-z0-9/_-]{1,256}$/;

/**
 * The region of a KMS key's ARN, the value of `VAULT_KMS_KEY`.
 *
 * @throws Error with a fixed message.
 */
export function regionOfKmsKey(arn: string | undefined): string {
  if (arn === undefined) throw new Error('is missing: the ARN of the KMS key that opens VAULT_KEYS_KMS');
  const region = KMS_KEY_ARN.exec(arn)?.[1];
  if (region === undefined) {
    throw new Error('must be the ARN of a KMS key: arn:aws:kms:<region>:<account>:key/<id>');
  }
  return region;
}
