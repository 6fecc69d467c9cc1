import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningKv, startKv } from '../../dev/kv/start-kv.ts';
import { configVariables, platformVariables } from '../../lib/config.ts';
import { startTestIssuer, TEST_AUDIENCE, type TestIssuer } from './issuer.ts';
import { startTestProviders, type TestProviders } from './providers.ts';
import type { RecordedCall } from './recorded-call.ts';
import { startRedisServer } from './redis-server.ts';

/** One request that reached KV, as a list of its commands. */
type KvRequest = readonly (readonly string[])[];

/** The tenant of every user of a test. */
export const TEST_TENANT = 'test';

export type World = {
  readonly kv: {
    readonly url: string;
    readonly token: string;
    /** Every request so far; a pipeline is one request. A script that was named by its SHA-1 is here as its source. */
    readonly requests: KvRequest[];
    /** Stops only the store, to emulate an outage. */
    stop(): Promise<void>;
  };
  readonly issuer: TestIssuer;
  readonly providers: TestProviders;
  /** The calls that reached the providers: the same list as `providers.calls`. */
  readonly calls: readonly RecordedCall[];
  /** The configuration of the functions. It is in `process.env` until `close`, unless `applyEnv` is false. */
  readonly env: Readonly<Record<string, string>>;
  tokenFor(user: string, claims?: Readonly<Record<string, unknown>>): Promise<string>;
  /** Stops everything and restores `process.env`. */
  close(): Promise<void>;
};

export type WorldOptions = {
  /** Default: production, where every user has their own keys. */
  readonly mode?: 'local' | 'production';
  /** Added to the configuration; replaces variables with the same name. */
  readonly env?: Readonly<Record<string, string>>;
  readonly issuerAlg?: string;
  /** Default: embedded, which needs no installed program. */
  readonly kvEngine?: 'embedded' | 'redis-server';
  /** Default true. Import the functions after this, and not before. */
  readonly applyEnv?: boolean;
};

/**
 * Starts everything that the functions call, as real servers on loopback: a KV store in memory, a token issuer, and one
 * recording server for each provider. No request reaches another machine, and `close` removes everything.
 */
export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const { mode = 'production', env: extra = {}, issuerAlg, kvEngine = 'embedded', applyEnv = true } = options;
  const requests: KvRequest[] = [];
  const withSource = sourceFinder();
  const directory = await mkdtemp(join(tmpdir(), 'userkeys-world-'));
  const [kv, issuer, providers] = await Promise.all([
    startStore(kvEngine, (commands) => requests.push(commands.map(withSource))),
    startTestIssuer(issuerAlg === undefined ? {} : { alg: issuerAlg }),
    startTestProviders(),
  ]);
  const env = {
    DEPLOY_ENV: mode,
    KV_REST_API_URL: kv.url,
    KV_REST_API_TOKEN: kv.token,
    AUTH_ISSUER: issuer.url,
    AUTH_AUDIENCE: TEST_AUDIENCE,
    AUTH_TENANT: TEST_TENANT,
    VAULT_KEYS: newMasterKey(),
    // For processes that get this environment and no other variable.
    ...compileCache(),
    RATE_LIMIT_PER_MINUTE: '1000000',
    MAX_CONCURRENT_CALLS: '1000',
    CRON_SECRET: randomBytes(24).toString('base64url'),
    // In local mode keys are written here instead of into the project.
    ENV_FILE: join(directory, '.env'),
    ...providers.env,
    ...extra,
  };
  const restoreEnv = applyEnv ? setEnvironment(env) : () => {};

  let kvStopped = false;
  async function stopKv(): Promise<void> {
    if (kvStopped) return;
    kvStopped = true;
    await kv.close();
  }

  return {
    kv: { url: kv.url, token: kv.token, requests, stop: stopKv },
    issuer,
    providers,
    calls: providers.calls,
    env,
    tokenFor: (user, claims) => issuer.sign(user, claims),
    async close() {
      restoreEnv();
      await Promise.all([stopKv(), issuer.close(), providers.close()]);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Puts the source of a script back into a command that only names it. The source came in an earlier command. */
function sourceFinder(): (command: readonly string[]) => readonly string[] {
  const sources = new Map<string, string>();
  return (command) => {
    const [name = '', script = '', ...rest] = command;
    if (/^eval$/i.test(name)) sources.set(createHash('sha1').update(script).digest('hex'), script);
    const source = /^evalsha$/i.test(name) ? sources.get(script) : undefined;
    return source === undefined ? command : ['eval', source, ...rest];
  };
}

async function startStore(
  engine: 'embedded' | 'redis-server',
  onRequest: (commands: KvRequest) => void,
): Promise<RunningKv> {
  if (engine === 'embedded') return startKv({ onRequest });
  const redis = await startRedisServer();
  const kv = await startKv({ redisUrl: redis.url, onRequest });
  return { ...kv, close: () => kv.close().finally(redis.close) };
}

/** Where Node keeps compiled modules, for processes that a test starts. */
export function compileCache(): Readonly<Record<string, string>> {
  const directory = process.env.NODE_COMPILE_CACHE;
  return directory === undefined ? {} : { NODE_COMPILE_CACHE: directory };
}

/** One entry of `VAULT_KEYS`: an id and 32 random bytes. */
export function newMasterKey(kid = `k${randomBytes(4).toString('hex')}`): string {
  return `${kid}:${randomBytes(32).toString('base64url')}`;
}

/** A random provider key, different each time. */
export function newProviderKey(prefix = 'sk-test-'): string {
  return prefix + randomBytes(24).toString('base64url');
}

/** Variables of a developer's or CI machine that would change what a test does. */
const CLEARED = ['VERCEL', 'VERCEL_ENV', 'DEBUG', ...platformVariables, ...configVariables];

/** Sets the variables and returns a function that restores them. */
function setEnvironment(env: Readonly<Record<string, string>>): () => void {
  const names = [...CLEARED, ...Object.keys(env)];
  const former = names.map((name) => [name, process.env[name]] as const);
  for (const name of CLEARED) delete process.env[name];
  Object.assign(process.env, env);
  return () => {
    for (const [name, value] of former) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  };
}
