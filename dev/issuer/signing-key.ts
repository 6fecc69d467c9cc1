import { calculateJwkThumbprint, exportJWK, generateKeyPair } from 'jose';
import { z } from 'zod';
import { readPrivateFile, writePrivateFile } from '../state/private-file.ts';

const PrivateJwk = z.object({
  kty: z.literal('EC'),
  crv: z.literal('P-256'),
  x: z.string(),
  y: z.string(),
  d: z.string(),
});
type PrivateJwk = z.infer<typeof PrivateJwk>;

export type SigningKey = {
  readonly kid: string;
  readonly privateJwk: PrivateJwk;
  readonly publicJwk: { readonly kty: 'EC'; readonly crv: 'P-256'; readonly x: string; readonly y: string };
};

/**
 * The issuer's ES256 key: the one kept in `path`, or a new one, kept there from now on. Without a path it
 * lives as long as the process. A file that holds no such key is replaced: tokens signed by it are short-lived.
 */
export async function loadSigningKey(path?: string): Promise<SigningKey> {
  const kept = path === undefined ? undefined : parse(await readPrivateFile(path));
  const privateJwk = kept ?? (await generate());
  if (path !== undefined && kept === undefined) await writePrivateFile(path, JSON.stringify(privateJwk));
  const { d: _, ...publicJwk } = privateJwk;
  return { kid: await calculateJwkThumbprint(publicJwk), privateJwk, publicJwk };
}

function parse(text: string | undefined): PrivateJwk | undefined {
  if (text === undefined) return undefined;
  try {
    return PrivateJwk.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

async function generate(): Promise<PrivateJwk> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  return PrivateJwk.parse(await exportJWK(privateKey));
}
