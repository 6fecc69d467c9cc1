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
 * The issuer's ES256 key: the one in the file `path`, or a new one that is written there. Without a path the key is
 * in memory only. A file that holds no valid key is replaced, since tokens are short-lived.
 */
export async function loadSigningKey(path?: string): Promise<SigningKey> {
  const stored = path === undefined ? undefined : parse(await readPrivateFile(path));
  const privateJwk = stored ?? (await generate());
  if (path !== undefined && stored === undefined) await writePrivateFile(path, JSON.stringify(privateJwk));
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
