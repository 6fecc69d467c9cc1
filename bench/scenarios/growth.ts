/**
 * The same calls with more and more users in the store. Each size has a redis-server and a gateway of its own, and all
 * of them run at the same time, so that they take turns as the targets do.
 */
import { createClient } from 'redis';
import { buildTargets } from '../build-targets.ts';
import { type Kind, runCalls } from '../callers.ts';
import { GATEWAY_PATH, withTokens } from '../contenders.ts';
import { cpuMicros, startTarget } from '../processes.ts';
import { percentile, type Sample } from '../samples.ts';
import { type Fixtures, startFixtures } from '../start-fixtures.ts';

const SIZES = [100, 10_000, 1_000_000];
/**
 * The users who call. Each of them has a key of their own; the others have a record of the same size. The same number
 * calls at every size, so that the calls do the same work. In the largest store ten times as many call in turn, which
 * shows what it costs that the store finds less in the caches of its processor.
 */
const CALLING_USERS = 100;
const MANY_CALLING_USERS = 1_000;
const CALLERS = 32;
const FILLED_AT_A_TIME = 10_000;
const FUNCTIONS = new URL('../../api/userkeys.ts', import.meta.url).pathname;

const CALLS: readonly {
  readonly name: string;
  readonly kind: Kind;
  readonly path: string;
  readonly calls: number;
}[] = [
  { name: 'growth: a gateway call', kind: 'json', path: GATEWAY_PATH, calls: 1_000 },
  { name: 'growth: GET /api/keys', kind: 'read', path: '/api/keys', calls: 1_000 },
  { name: 'growth: GET /api/audit?limit=50', kind: 'read', path: '/api/audit?limit=50', calls: 1_000 },
];
const SCAN_COUNTS = [100, 500, 2_000, 10_000];

type Level = Awaited<ReturnType<typeof startLevel>>;
type Redis = ReturnType<typeof toRedis>;

const toRedis = (url: string) => createClient({ url, RESP: 2 });

export async function measureGrowth(rounds: number): Promise<readonly Sample[]> {
  const { userkeys: file } = await buildTargets(['userkeys']);
  const levels: Level[] = [];
  try {
    for (const users of SIZES) levels.push(await startLevel(users, file));
    const largest = levels.at(-1);
    const rows = levels.map((level) => ({ level, name: level.name, callers: CALLING_USERS }));
    if (largest !== undefined) {
      const name = `${largest.name}, ${MANY_CALLING_USERS.toLocaleString('en-US')} call`;
      rows.push({ level: largest, name, callers: MANY_CALLING_USERS });
    }
    const samples: Sample[] = [];
    for (const { name, kind, path, calls } of CALLS) {
      const measure = ({ level, callers }: (typeof rows)[number]) =>
        measureLevel(level, level.fixtures.tokens.slice(0, callers), { kind, path, calls });
      for (const row of rows) await measure(row);
      for (let round = 0; round < rounds; round += 1) {
        for (const row of rows) {
          samples.push({ scenario: name, contender: row.name, round, figures: await measure(row) });
        }
      }
    }
    return largest === undefined ? samples : [...samples, ...(await measurePages(largest, rounds))];
  } finally {
    await Promise.all(levels.map(({ end }) => end()));
  }
}

async function startLevel(users: number, file: string) {
  const fixtures = await startFixtures(Math.min(users, MANY_CALLING_USERS));
  const redis = toRedis(fixtures.redisUrl);
  await redis.connect();
  const bytesPerUser = await fill(redis, users, fixtures);
  const target = await startTarget({
    file,
    args: (port) => [FUNCTIONS, String(port)],
    env: fixtures.env,
  });
  const name = `${users.toLocaleString('en-US')} users`;
  if (bytesPerUser !== undefined)
    console.log(`${name}: ${bytesPerUser.toFixed(0)} bytes in KV for a user's record`);
  return {
    name,
    fixtures,
    redis,
    target,
    async end() {
      await target.end();
      redis.destroy();
      await fixtures.end();
    },
  };
}

/** Lua: a copy of the first user's record for every user who does not call. */
const FILL = `
local record = redis.call('HGET', KEYS[1], 'openai')
for i = tonumber(ARGV[1]), tonumber(ARGV[2]) do
  redis.call('HSET', 'uk:{bench:filler-' .. i .. '}:keys', 'openai', record)
end
return 1`;

async function fill(redis: Redis, users: number, { tokens }: Fixtures) {
  const before = await infoOf(redis, 'used_memory');
  for (let from = tokens.length; from < users; from += FILLED_AT_A_TIME) {
    const to = Math.min(users, from + FILLED_AT_A_TIME) - 1;
    await redis.eval(FILL, { keys: ['uk:{bench:user-0}:keys'], arguments: [String(from), String(to)] });
  }
  const filled = users - tokens.length;
  return filled === 0 ? undefined : ((await infoOf(redis, 'used_memory')) - before) / filled;
}

async function infoOf(redis: Redis, name: string): Promise<number> {
  const text = String(await redis.sendCommand(['INFO']));
  return Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(text)?.[1]);
}

async function redisCpuMicros(redis: Redis): Promise<number> {
  const [user, system] = [await infoOf(redis, 'used_cpu_user'), await infoOf(redis, 'used_cpu_sys')];
  return (user + system) * 1e6;
}

async function measureLevel(
  { redis, target }: Level,
  tokens: readonly string[],
  { kind, path, calls }: { readonly kind: Kind; readonly path: string; readonly calls: number },
) {
  const before = { own: cpuMicros(target.pid), redis: await redisCpuMicros(redis) };
  const destination = { origin: target.origin, ...withTokens(tokens, path) };
  const { total } = await runCalls(destination, kind, { callers: CALLERS, calls });
  total.sort((a, b) => a - b);
  return {
    cpuMicros: (cpuMicros(target.pid) - before.own) / calls,
    p50Ms: percentile(total, 0.5),
    p99Ms: percentile(total, 0.99),
    redisCpuMicros: ((await redisCpuMicros(redis)) - before.redis) / calls,
  };
}

/**
 * What the store does for one page of a rotation, by the number of keys it looks at: `SCAN`, and the records it found.
 * The store answers nobody else in that time.
 */
async function measurePages({ redis }: Level, rounds: number): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  for (let round = 0; round < rounds; round += 1) {
    for (const count of SCAN_COUNTS) {
      const before = await redisCpuMicros(redis);
      const pages = Math.ceil(20_000 / count);
      const waits: number[] = [];
      let cursor = '0';
      for (let page = 0; page < pages; page += 1) {
        const startedAt = performance.now();
        const found = await redis.scan(cursor, { MATCH: 'uk:{*}:keys', COUNT: count, TYPE: 'hash' });
        waits.push(performance.now() - startedAt);
        await Promise.all(found.keys.map((key) => redis.hGetAll(key)));
        cursor = found.cursor;
      }
      waits.sort((a, b) => a - b);
      samples.push({
        scenario: 'growth: a page of a rotation',
        contender: `${count.toLocaleString('en-US')} keys a page`,
        round,
        figures: {
          p50Ms: percentile(waits, 0.5),
          redisCpuMicrosPerKey: ((await redisCpuMicros(redis)) - before) / (pages * count),
        },
      });
    }
  }
  return samples;
}
