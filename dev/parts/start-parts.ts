import { join, relative } from 'node:path';
import { DEV_AUDIENCE, startIssuer } from '../issuer/start-issuer.ts';
import { isLocalRedis, startKv } from '../kv/start-kv.ts';
import type { Variables } from '../settings/configuration.ts';
import { loadVaultKeys } from '../settings/vault-keys.ts';
import { onFreePort } from './on-free-port.ts';
import type { StopList } from './stop-list.ts';

/** A server that the functions need: started here, or configured. */
type Part = { readonly url: string; readonly note: string };

export type Parts = {
  readonly keyStore: Part;
  readonly issuer: Part;
  /** Where the issuer that was started here gives tokens; undefined when an issuer is configured. */
  readonly tokenUrl: string | undefined;
  /** The variables of the parts that were started here. */
  readonly env: Variables;
};

export type PartsOptions = {
  readonly configured: Variables;
  /** Holds the store, the master keys and the issuer's key. */
  readonly dataDirectory: string;
  /** The port of the functions. The parts use the next ones. */
  readonly port: number;
  /** The address of the functions, for the tokens' `azp`. */
  readonly functionsUrl: () => string;
};

const LOCAL_TENANT = 'local';

/** Starts each part that is not configured. */
export async function startParts(options: PartsOptions, stops: StopList): Promise<Parts> {
  const { configured, dataDirectory } = options;
  const vaultKeys = configured.VAULT_KEYS ?? (await loadVaultKeys(join(dataDirectory, 'vault-keys')));
  const issuer = await issuerPart(options, stops);
  const keyStore = await keyStorePart(options, stops);
  return {
    keyStore: keyStore.part,
    issuer: issuer.part,
    tokenUrl: issuer.tokenUrl,
    env: { VAULT_KEYS: vaultKeys, ...issuer.env, ...keyStore.env },
  };
}

async function issuerPart({ configured, dataDirectory, port, functionsUrl }: PartsOptions, stops: StopList) {
  const url = configured.AUTH_ISSUER;
  if (url !== undefined) {
    return { part: { url, note: 'configured: AUTH_ISSUER' }, tokenUrl: undefined, env: {} };
  }
  const keyFile = join(dataDirectory, 'issuer-key.json');
  const issuer = await onFreePort(port === 0 ? 0 : port + 1, (free) =>
    startIssuer({ port: free, keyFile, authorizedParty: functionsUrl }),
  );
  stops.add(() => issuer.close());
  return {
    part: { url: issuer.url, note: 'tokens for alice and bob' },
    tokenUrl: `${issuer.url}/token`,
    // The issuer's port can be another one next time. The data stays that of the same users.
    env: {
      AUTH_ISSUER: issuer.url,
      AUTH_AUDIENCE: DEV_AUDIENCE,
      AUTH_TENANT: configured.AUTH_TENANT ?? LOCAL_TENANT,
    },
  };
}

async function keyStorePart({ configured, dataDirectory, port }: PartsOptions, stops: StopList) {
  const url = configured.KV_REST_API_URL;
  if (url !== undefined) return { part: { url, note: 'configured: KV_REST_API_URL' }, env: {} };
  const asked = process.env.REDIS_URL || undefined;
  const redisUrl = asked !== undefined && isLocalRedis(asked) ? asked : undefined;
  const kv = await onFreePort(port === 0 ? 0 : port + 2, (free) =>
    startKv({ port: free, dataDirectory: join(dataDirectory, 'kv'), redisUrl }),
  );
  stops.add(() => kv.close());
  const kept = `kept in ${relative(process.cwd(), dataDirectory) || '.'}`;
  const ignored = asked === undefined ? '' : '; REDIS_URL is not on this machine and is not used';
  const note = kv.engine === 'redis' ? 'your Redis (REDIS_URL)' : `embedded, ${kept}${ignored}`;
  return {
    part: { url: kv.url, note },
    env: { KV_REST_API_URL: kv.url, KV_REST_API_TOKEN: kv.token },
  };
}
