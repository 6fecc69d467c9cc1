/**
 * Unwraps master keys with AWS KMS, once per cold start. The AWS client is loaded only if KMS is configured.
 */
import type { KMSClientConfig } from '@aws-sdk/client-kms';
import { z } from 'zod';
import { Problem } from '../errors.ts';
import { KMS_TIMEOUT_MS, MAX_KMS_TRIES } from '../limits.ts';
import { log } from '../log.ts';
import { checkMasterKey } from './master-keys.ts';
import { type UnwrapKeys, type WrappedKeys, WrappedKeysError } from './wrapped-keys.ts';

/**
 * The KMS encryption context, which KMS authenticates: a ciphertext made for another purpose or another `kid` does not
 * open.
 */
const contextOf = (kid: string) => ({ application: 'userkeys', kid });

/** The AWS SDK reads its own variables, such as `AWS_ENDPOINT_URL_KMS`. */
export const unwrapWithKms: UnwrapKeys = async (wrapped) => {
  const { DecryptCommand, KMSClient } = await import('@aws-sdk/client-kms');
  const client = new KMSClient({
    region: wrapped.region,
    maxAttempts: MAX_KMS_TRIES,
    requestHandler: { connectionTimeout: KMS_TIMEOUT_MS, requestTimeout: KMS_TIMEOUT_MS },
    ...(await credentialsOf(wrapped)),
  });
  const open = async ({ kid, ciphertext }: WrappedKeys['entries'][number], position: number) => {
    const command = new DecryptCommand({
      CiphertextBlob: ciphertext,
      KeyId: wrapped.kmsKey,
      EncryptionContext: contextOf(kid),
    });
    const { Plaintext } = await client.send(command).catch((error: unknown) => {
      throw toUnwrapError(error, position);
    });
    try {
      return checkMasterKey({ kid, bytes: Plaintext ?? new Uint8Array() }, position);
    } catch (error) {
      throw new WrappedKeysError(error instanceof Error ? error.message : '');
    }
  };
  try {
    // Wait for all of them: the client must not be destroyed while a request is being retried.
    const opened = await Promise.allSettled(wrapped.entries.map((entry, index) => open(entry, index + 1)));
    return opened.map((result) => {
      if (result.status === 'rejected') throw result.reason;
      return result.value;
    });
  } finally {
    client.destroy();
  }
};

/** With a role, the deployment's identity token is exchanged for credentials, so no AWS secret is stored. */
async function credentialsOf({
  roleArn,
  region,
}: WrappedKeys): Promise<Pick<KMSClientConfig, 'credentials'>> {
  if (roleArn === undefined) return {};
  const { awsCredentialsProvider } = await import('@vercel/functions/oidc');
  return { credentials: awsCredentialsProvider({ roleArn, clientConfig: { region } }) };
}

const named = z.object({ name: z.string().regex(/^[A-Za-z.]{1,80}$/) });

/** Errors that a retry cannot fix, because the settings or permissions are wrong. */
const REFUSALS: ReadonlyMap<string, string> = new Map([
  ['InvalidCiphertextException', 'was not wrapped by this KMS key for this kid'],
  ['IncorrectKeyException', 'was wrapped by another KMS key'],
  ['AccessDeniedException', 'may not be opened with the credentials of this deployment'],
  ['NotFoundException', 'names a KMS key that does not exist'],
  ['DisabledException', 'was wrapped by a KMS key that is disabled'],
  ['KMSInvalidStateException', 'was wrapped by a KMS key that cannot be used in its state'],
  ['UnrecognizedClientException', 'cannot be opened: AWS does not know the credentials'],
  ['CredentialsProviderError', 'cannot be opened: there are no AWS credentials'],
]);

function toUnwrapError(error: unknown, position: number): Error {
  const { name } = named.safeParse(error).data ?? { name: 'unknown' };
  const refusal = REFUSALS.get(name);
  if (refusal !== undefined) return new WrappedKeysError(`entry ${position} ${refusal}`);
  log({ level: 'error', event: 'kms_failed', reason: name });
  return new Problem('vault_unavailable', { headers: { 'retry-after': '2' } });
}
