/**
 * What every target of the benchmark talks to, in a process of its own, so that its CPU is not counted: an issuer, a
 * provider, and a KV store. The store is a real redis-server behind a thin REST front end: it runs the real commands
 * and scripts, and adds so little time that the gateway's own time shows. Forked by bench/run.ts:
 *
 *     fixtures.ts <number of users with a stored key>
 */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { LOOPBACK, listen } from '../dev/http/listen.ts';
import { startTestIssuer, TEST_AUDIENCE } from '../test/support/issuer.ts';
import { startRedisServer } from '../test/support/redis-server.ts';
import { createKvFrontEnd } from './kv-front-end.ts';
import { KEY_PREFIX, providerListener } from './provider.ts';

const TOKEN_LIFETIME_SECONDS = 4 * 60 * 60;
const AT_A_TIME = 32;

const users = Number(process.argv[2]);
const redis = await startRedisServer();
process.once('disconnect', () => void redis.close().finally(() => process.exit()));

const kvToken = randomBytes(24).toString('base64url');
const frontEnd = await createKvFrontEnd(redis.url, kvToken);
const [issuer, kvPort, providerPort] = await Promise.all([
  startTestIssuer(),
  listen(frontEnd.server),
  listen(createServer({ keepAliveTimeout: 60_000 }, providerListener)),
]);
const provider = `http://${LOOPBACK}:${providerPort}`;
const env = {
  DEPLOY_ENV: 'production',
  KV_REST_API_URL: `http://${LOOPBACK}:${kvPort}`,
  KV_REST_API_TOKEN: kvToken,
  AUTH_ISSUER: issuer.url,
  AUTH_AUDIENCE: TEST_AUDIENCE,
  AUTH_TENANT: 'bench',
  VAULT_KEYS: `bench:${randomBytes(32).toString('base64url')}`,
  RATE_LIMIT_PER_MINUTE: '1000000',
  MAX_CONCURRENT_CALLS: '1000',
  CRON_SECRET: randomBytes(24).toString('base64url'),
  OPENAI_BASE_URL: provider,
};

Object.assign(process.env, env);
const { PUT } = await import('../api/userkeys.ts');

/** Stores a key for a user through the API, as a person would, and signs a token for the calls. */
async function createUser(name: string): Promise<string> {
  const exp = Math.floor(Date.now() / 1_000) + TOKEN_LIFETIME_SECONDS;
  const token = await issuer.sign(name, { exp });
  const request = new Request('http://gateway/api/keys/openai', {
    method: 'PUT',
    headers: { authorization: `Bearer ${token}` },
    body: JSON.stringify({ key: `${KEY_PREFIX}${randomBytes(24).toString('hex')}` }),
  });
  const response = await PUT(request);
  if (!response.ok) throw new Error(`The key was not saved: ${response.status} ${await response.text()}`);
  return token;
}

const names = Array.from({ length: users }, (_, index) => `user-${index}`);
const tokens: string[] = [];
while (names.length > 0) tokens.push(...(await Promise.all(names.splice(0, AT_A_TIME).map(createUser))));
process.send?.({ env, provider, tokens, redisUrl: redis.url });
/** Any message asks what has passed to KV. */
process.on('message', () => process.send?.(frontEnd.totals));
