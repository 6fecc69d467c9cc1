/**
 * Many mixed calls of many users against one process of the app, over loopback. Fails if a call was paid with a key
 * that is not the one its user stored last, if a save that was acknowledged is lost, or if the memory grows.
 *
 *     npm run soak                                  100,000 calls of 1,000 users
 *     npm run soak -- --calls 5000 --users 100      a quick look
 *     npm run soak -- --minutes 10                  stops after ten minutes, whatever was done by then
 */
import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { redisServerInstalled } from '../test/support/redis-server.ts';
import { startWorld } from '../test/support/start-world.ts';
import { createSoak } from './soak/soak-calls.ts';

const CALLERS = 32;
const ROUND_CALLS = 1_000;
/** How much the heap may be larger in the last third than in the first. */
const MAX_GROWTH_BYTES = 8 * 1024 * 1024;
const MAX_REPORTED = 20;

const { values } = parseArgs({
  options: {
    calls: { type: 'string', default: '100000' },
    users: { type: 'string', default: '1000' },
    minutes: { type: 'string', default: '60' },
  },
});
const count = z.coerce.number().int().positive();
const [calls, users, minutes] = [values.calls, values.users, values.minutes].map((text) => count.parse(text));
if (calls === undefined || users === undefined || minutes === undefined) throw new Error('no numbers');

const kvEngine = redisServerInstalled() ? 'redis-server' : 'embedded';
const world = await startWorld({ applyEnv: false, kvEngine });
const child = fork(new URL('./soak/app.ts', import.meta.url), {
  env: { ...world.env, PATH: process.env.PATH },
  execArgv: ['--expose-gc'],
  stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
});
/** The app logs every refused call. Only its errors are shown. */
if (child.stderr) {
  createInterface(child.stderr).on('line', (line) => {
    if (!/"level":"(?:info|warn)"/.test(line)) console.error(line);
  });
}
const [url] = await once(child, 'message');
async function heapBytes(): Promise<number> {
  child.send('heap');
  const [bytes] = await once(child, 'message');
  return z.number().parse(bytes);
}

const startedAt = performance.now();
const endsAt = startedAt + minutes * 60_000;
const soak = await createSoak({
  url: z.string().parse(url),
  users,
  tokenFor: (user) => world.tokenFor(user, { exp: Math.floor(Date.now() / 1000) + 4 * 3_600 }),
  newKey: () => `sk-soak-${randomBytes(24).toString('base64url')}`,
  seen: () => world.calls,
});

/** Runs `once` by as many callers at a time as the soak has, until it returns false. */
async function inParallel(once: () => Promise<boolean>): Promise<void> {
  const caller = async () => {
    while (await once());
  };
  await Promise.all(Array.from({ length: Math.min(CALLERS, users ?? CALLERS) }, caller));
  soak.checkProviderCalls();
  world.providers.reset();
  world.kv.requests.length = 0;
}

console.log(`${calls} calls of ${users} users, ${kvEngine} store, Node ${process.version}\n`);
const heaps: number[] = [];
let done = 0;
await inParallel(() => soak.saveNext());
while (done < calls && performance.now() < endsAt) {
  let left = Math.min(ROUND_CALLS, calls - done);
  await inParallel(async () => {
    if (left <= 0) return false;
    left -= 1;
    done += 1;
    await soak.callOnce();
    return true;
  });
  heaps.push(await heapBytes());
  if (heaps.length % 10 === 0) console.log(`${done} calls, heap ${megabytes(heaps.at(-1) ?? 0)}`);
}
const seconds = (performance.now() - startedAt) / 1_000;
await inParallel(() => soak.readBackNext());

const third = Math.max(1, Math.floor(heaps.length / 3));
const [first, last] = [average(heaps.slice(0, third)), average(heaps.slice(-third))];
const { violations, figures } = soak.report();
if (last - first > MAX_GROWTH_BYTES)
  violations.push(`the heap grew from ${megabytes(first)} to ${megabytes(last)}`);

console.log();
for (const [what, times] of figures) console.log(`${String(times).padStart(9)}  ${what}`);
console.log(`\n${done} calls in ${seconds.toFixed(0)} s, ${(done / seconds).toFixed(0)} a second`);
console.log(`heap after garbage collection: first third ${megabytes(first)}, last third ${megabytes(last)}`);
console.log(`${violations.length} violations`);
for (const violation of violations.slice(0, MAX_REPORTED)) console.log(`  ${violation}`);

child.disconnect();
await once(child, 'exit');
await world.close();
process.exit(violations.length === 0 ? 0 : 1);

function average(list: readonly number[]): number {
  return list.reduce((sum, value) => sum + value, 0) / list.length;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}
