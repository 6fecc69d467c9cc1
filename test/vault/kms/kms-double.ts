/**
 * A test double for AWS KMS and STS on loopback, because no npm package emulates KMS. It implements the parts of the JSON
 * 1.1 protocol that `Encrypt` and `Decrypt` of one symmetric key need, authenticates the encryption context as KMS does,
 * and does not check signatures. If moto is installed, the same tests also run against it.
 */
import { createCipheriv, createDecipheriv, randomBytes, randomUUID } from 'node:crypto';
import { z } from 'zod';
import { createWebServer } from '../../../dev/http/create-web-server.ts';
import { closeServer, LOOPBACK, listen } from '../../../dev/http/listen.ts';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

const Input = z.object({
  KeyId: z.string(),
  Plaintext: z.string().optional(),
  CiphertextBlob: z.string().optional(),
  EncryptionContext: z.record(z.string(), z.string()).default({}),
});
type Input = z.infer<typeof Input>;

export type KmsDouble = {
  readonly url: string;
  readonly keyArn: string;
  /** The requests, in order: the operation, and the access key id that signed it. */
  readonly asked: { readonly operation: string; readonly accessKeyId: string }[];
  /** Answers every operation with this error; undefined: healthy again. */
  failWith(error: { readonly status: number; readonly type: string } | undefined): void;
  close(): Promise<void>;
};

/** The access key id that this double's STS returns. */
export const ROLE_ACCESS_KEY_ID = 'ASIAROLE000000000000';

export async function startKmsDouble(): Promise<KmsDouble> {
  const keyArn = `arn:aws:kms:eu-central-1:123456789012:key/${randomUUID()}`;
  const masterKey = randomBytes(32);
  const asked: KmsDouble['asked'][number][] = [];
  let failure: { readonly status: number; readonly type: string } | undefined;

  const server = createWebServer(async (request) => {
    const text = await request.text();
    const accessKeyId =
      /Credential=([^/]+)\//.exec(request.headers.get('authorization') ?? '')?.[1] ?? 'nobody';
    const operation = request.headers.get('x-amz-target')?.split('.')[1];
    if (operation === undefined) {
      asked.push({ operation: new URLSearchParams(text).get('Action') ?? '', accessKeyId });
      return new Response(roleCredentials(), { headers: { 'content-type': 'text/xml' } });
    }
    asked.push({ operation, accessKeyId });
    if (failure !== undefined) return refuse(failure.type, failure.status);
    const input = Input.parse(JSON.parse(text));
    if (input.KeyId !== keyArn) return refuse('NotFoundException');
    try {
      return amzJson(operation === 'Encrypt' ? encrypt(masterKey, input) : decrypt(masterKey, input));
    } catch {
      return refuse('InvalidCiphertextException');
    }
  });
  const url = `http://${LOOPBACK}:${await listen(server)}`;

  return {
    url,
    keyArn,
    asked,
    failWith(error) {
      failure = error;
    },
    close: () => closeServer(server),
  };
}

/** KMS treats the context as a map, so the order of entries does not matter. */
function associatedData({ KeyId, EncryptionContext }: Input): Buffer {
  return Buffer.from(JSON.stringify([KeyId, Object.entries(EncryptionContext).sort()]));
}

function encrypt(masterKey: Buffer, input: Input): object {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', masterKey, nonce).setAAD(associatedData(input));
  const sealed = cipher.update(Buffer.from(input.Plaintext ?? '', 'base64'));
  const parts = [nonce, sealed, cipher.final(), cipher.getAuthTag()];
  return { KeyId: input.KeyId, CiphertextBlob: Buffer.concat(parts).toString('base64') };
}

function decrypt(masterKey: Buffer, input: Input): object {
  const blob = Buffer.from(input.CiphertextBlob ?? '', 'base64');
  const decipher = createDecipheriv('aes-256-gcm', masterKey, blob.subarray(0, NONCE_BYTES))
    .setAAD(associatedData(input))
    .setAuthTag(blob.subarray(-TAG_BYTES));
  const opened = decipher.update(blob.subarray(NONCE_BYTES, -TAG_BYTES));
  return { KeyId: input.KeyId, Plaintext: Buffer.concat([opened, decipher.final()]).toString('base64') };
}

function amzJson(value: object, status = 200): Response {
  return new Response(JSON.stringify(value), {
    status,
    headers: { 'content-type': 'application/x-amz-json-1.1' },
  });
}

function refuse(type: string, status = 400): Response {
  return amzJson({ __type: type, message: 'refused' }, status);
}

function roleCredentials(): string {
  const secret = randomBytes(20).toString('hex');
  const expiration = new Date(Date.now() + 3_600_000).toISOString();
  return `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>${ROLE_ACCESS_KEY_ID}</AccessKeyId><SecretAccessKey>${secret}</SecretAccessKey><SessionToken>${secret}</SessionToken><Expiration>${expiration}</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`;
}
