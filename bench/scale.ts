/**
 * What a deployment needs for 10 thousand, 1 million and 100 million users. First it measures one call: its KV requests,
 * commands and bytes, its CPU, its file descriptors, and what it leaves in the store. Then it multiplies. The use per
 * user is an assumption, which the options change; docs/scale.md discusses the result.
 *
 *     node bench/scale.ts
 *     node bench/scale.ts --active=0.1 --calls=20 --peak=4 --seconds=10
 */
import { readdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createClient } from 'redis';
import { buildTargets } from './build-targets.ts';
import { runCalls } from './callers.ts';
import { GATEWAY_PATH, withTokens } from './contenders.ts';
import { cpuMicros, startTarget } from './processes.ts';
import { markdown } from './report.ts';
import { startFixtures } from './start-fixtures.ts';

const SIZES = [10_000, 1_000_000, 100_000_000];
const CALLING_USERS = 100;
const CALLS = 2_000;
const LOG_ENTRIES = 2_000;
const STREAMS = 100;
const DAY_SECONDS = 24 * 60 * 60;
const GB = 1024 ** 3;

/** docs/scale.md names the page and the date of each. */
const PRICES = {
  vercelCpuHour: 0.128,
  vercelMemoryGbHour: 0.0106,
  vercelMillionInvocations: 0.6,
  upstashMillionCommands: 2,
  upstashGbMonth: 0.25,
  upstashGbTransfer: 0.03,
};
const LIMITS = {
  upstashCommandsPerSecond: 10_000,
  upstashGb: 100,
  fileDescriptors: 1_024,
  clusterSlots: 16_384,
};
/** What an instance of a Vercel function has by default. */
const INSTANCE_GB = 2;

const { values } = parseArgs({
  options: {
    /** The part of all users who call on a day. */
    active: { type: 'string', default: '0.1' },
    /** Calls of such a user on that day. */
    calls: { type: 'string', default: '20' },
    /** Calls in the busiest second, as a multiple of the average. */
    peak: { type: 'string', default: '4' },
    /** How long a call takes, most of it the model's time. */
    seconds: { type: 'string', default: '10' },
  },
});
const use = {
  active: Number(values.active),
  calls: Number(values.calls),
  peak: Number(values.peak),
  seconds: Number(values.seconds),
};

const measured = await measure();
console.log(
  `One call, measured\n\n${markdown([['', 'a call'], ...Object.entries(measured).map(([name, value]) => [name, short(value)])])}\n`,
);
console.log(`Needed\n\n${markdown(transpose([neededNames(), ...SIZES.map(needed)]))}\n`);
console.log(`A million calls\n\n${markdown(costRows())}\n`);
console.log(`Spread over a Redis Cluster, simulated\n\n${markdown(spreadRows())}`);

async function measure() {
  const { userkeys: file } = await buildTargets(['userkeys']);
  const fixtures = await startFixtures(CALLING_USERS);
  const redis = createClient({ url: fixtures.redisUrl, RESP: 2 });
  await redis.connect();
  const functions = new URL('../api/userkeys.ts', import.meta.url).pathname;
  const target = await startTarget({ file, args: (port) => [functions, String(port)], env: fixtures.env });
  try {
    const destination = { origin: target.origin, ...withTokens(fixtures.tokens, GATEWAY_PATH) };
    await runCalls(destination, 'json', { callers: 32, calls: CALLS });
    await delay(500);
    const before = { cpu: cpuMicros(target.pid), kv: await fixtures.kvTotals(), redis: await storeTotals() };
    await runCalls(destination, 'json', { callers: 32, calls: CALLS });
    await delay(500);
    const after = { cpu: cpuMicros(target.pid), kv: await fixtures.kvTotals(), redis: await storeTotals() };
    const perCall = (end: number, start: number) => (end - start) / CALLS;

    // One user's log, filled.
    const bytesBefore = await bytesOfUser(0);
    const alone = { origin: target.origin, ...withTokens(fixtures.tokens.slice(0, 1), GATEWAY_PATH) };
    await runCalls(alone, 'json', { callers: 16, calls: LOG_ENTRIES });
    await delay(500);
    const logBytes = ((await bytesOfUser(0)) - bytesBefore) / LOG_ENTRIES;

    const open = await measureStreams();

    return {
      'CPU of the gateway, µs': perCall(after.cpu, before.cpu),
      'CPU of redis-server, µs': perCall(after.redis.cpuMicros, before.redis.cpuMicros),
      'KV requests': perCall(after.kv.requests, before.kv.requests),
      'KV commands sent': perCall(after.kv.commands, before.kv.commands),
      'KV commands run, with those inside scripts': perCall(after.redis.commands, before.redis.commands),
      'bytes sent to KV': perCall(after.kv.bytesIn, before.kv.bytesIn),
      'bytes answered by KV': perCall(after.kv.bytesOut, before.kv.bytesOut),
      'bytes stored: a user with one key who has not called': await redis
        .memoryUsage(`uk:{bench:user-${CALLING_USERS - 1}}:keys`)
        .then(Number),
      'bytes stored: an audit entry': logBytes,
      'bytes stored: a user after 40 calls': await bytesOfUser(1),
      ...open,
    };
  } finally {
    await target.end();
    redis.destroy();
    await fixtures.end();
  }

  /** In a process of its own, which has no connections from before. */
  async function measureStreams() {
    const fresh = await startTarget({ file, args: (port) => [functions, String(port)], env: fixtures.env });
    const destination = { origin: fresh.origin, ...withTokens(fixtures.tokens, GATEWAY_PATH) };
    try {
      await runCalls(destination, 'json', { callers: 1, calls: 1 });
      const idle = openDescriptors(fresh.pid);
      let most = 0;
      const timer = setInterval(() => {
        most = Math.max(most, openDescriptors(fresh.pid));
      }, 20);
      await runCalls(destination, 'paced', { callers: STREAMS, calls: 3 * STREAMS });
      clearInterval(timer);
      return {
        'file descriptors of an open stream': (most - idle) / STREAMS,
        'file descriptors of the idle process': idle,
      };
    } finally {
      await fresh.end();
    }
  }

  async function storeTotals() {
    const info = String(await redis.sendCommand(['INFO', 'everything']));
    const number = (name: string) => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)?.[1]);
    const commands = [...info.matchAll(/^cmdstat_(?!info|memory|scan|eval)[^:]*:calls=(\d+)/gm)];
    return {
      cpuMicros: (number('used_cpu_user') + number('used_cpu_sys')) * 1e6,
      commands: commands.reduce((sum, [, calls]) => sum + Number(calls), 0),
    };
  }

  async function bytesOfUser(index: number): Promise<number> {
    const keys = await redis.keys(`uk:{bench:user-${index}}:*`);
    const sizes = await Promise.all(keys.map((key) => redis.memoryUsage(key, { SAMPLES: 0 })));
    return sizes.reduce<number>((sum, size) => sum + Number(size ?? 0), 0);
  }
}

function openDescriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

function neededNames(): readonly string[] {
  return [
    'users',
    'calls a day',
    'calls a second, busiest',
    'calls in progress, busiest',
    'Vercel instances by file descriptors',
    'CPU cores of the gateway, busiest',
    'KV requests a second, busiest',
    'KV commands sent a second, busiest',
    'of the 10,000 a second of one Upstash database',
    'cores of redis-server, busiest',
    'KV traffic, GB a day',
    'storage, GB: only the keys',
    'storage, GB: every user has 100 audit entries',
    'of the 100 GB of one Upstash database',
  ];
}

function needed(users: number): readonly string[] {
  const callsADay = users * use.active * use.calls;
  const busiest = (callsADay / DAY_SECONDS) * use.peak;
  const inProgress = busiest * use.seconds;
  const perInstance =
    (LIMITS.fileDescriptors - measured['file descriptors of the idle process']) /
    measured['file descriptors of an open stream'];
  const commands = busiest * measured['KV commands sent'];
  const traffic = callsADay * (measured['bytes sent to KV'] + measured['bytes answered by KV']);
  const storage =
    users * (measured['bytes stored: a user after 40 calls'] + 60 * measured['bytes stored: an audit entry']);
  return [
    users.toLocaleString('en-US'),
    short(callsADay),
    short(busiest),
    short(inProgress),
    short(Math.ceil(inProgress / perInstance)),
    short((busiest * measured['CPU of the gateway, µs']) / 1e6),
    short(busiest * measured['KV requests']),
    short(commands),
    percent(commands / LIMITS.upstashCommandsPerSecond),
    short((busiest * measured['CPU of redis-server, µs']) / 1e6),
    short(traffic / GB),
    short((users * measured['bytes stored: a user with one key who has not called']) / GB),
    short(storage / GB),
    percent(storage / GB / LIMITS.upstashGb),
  ];
}

function costRows(): readonly (readonly string[])[] {
  const million = 1e6;
  const cpu = ((measured['CPU of the gateway, µs'] * million) / 1e6 / 3_600) * PRICES.vercelCpuHour;
  const memoryGbHours = (million * use.seconds * INSTANCE_GB) / 3_600;
  const traffic = (million * (measured['bytes sent to KV'] + measured['bytes answered by KV'])) / GB;
  const memory = (callsTogether: number) => (memoryGbHours / callsTogether) * PRICES.vercelMemoryGbHour;
  return [
    ['', 'US dollars'],
    ['Vercel: active CPU', cpu.toFixed(2)],
    ['Vercel: invocations', PRICES.vercelMillionInvocations.toFixed(2)],
    [`Vercel: memory, ${use.seconds} s a call, 1 call at a time in an instance`, memory(1).toFixed(2)],
    [`Vercel: memory, ${use.seconds} s a call, 50 calls at a time in an instance`, memory(50).toFixed(2)],
    ['Upstash: commands sent', (measured['KV commands sent'] * PRICES.upstashMillionCommands).toFixed(2)],
    ['Upstash: traffic', (traffic * PRICES.upstashGbTransfer).toFixed(2)],
    [
      `Upstash: a month of storage for a million users, 100 audit entries each`,
      (
        ((million *
          (measured['bytes stored: a user after 40 calls'] + 60 * measured['bytes stored: an audit entry'])) /
          GB) *
        PRICES.upstashGbMonth
      ).toFixed(2),
    ],
  ];
}

/**
 * How evenly owners spread. The slot of a key is the CRC16 of what is between its braces. Owners call as unevenly as
 * Zipf's law says: the second busiest half as often as the busiest, the third a third as often.
 */
function spreadRows(): readonly (readonly string[])[] {
  const owners = 1_000_000;
  const calls = new Float64Array(LIMITS.clusterSlots);
  const stored = new Float64Array(LIMITS.clusterSlots);
  let total = 0;
  for (let owner = 1; owner <= owners; owner += 1) {
    const slot = crc16(`bench:user-${owner}`) % LIMITS.clusterSlots;
    stored[slot] = (stored[slot] ?? 0) + 1;
    calls[slot] = (calls[slot] ?? 0) + 1 / owner;
    total += 1 / owner;
  }
  const busiest = (shards: number, loads: Float64Array) => {
    const perShard = new Float64Array(shards);
    for (const [slot, load] of loads.entries()) {
      const shard = Math.floor((slot * shards) / LIMITS.clusterSlots);
      perShard[shard] = (perShard[shard] ?? 0) + load;
    }
    return (Math.max(...perShard) * shards) / loads.reduce((sum, load) => sum + load, 0);
  };
  return [
    [
      'shards',
      'fullest shard, × average',
      'busiest shard, × average',
      "the busiest user's part of all calls",
    ],
    ...[3, 10, 30, 100].map((shards) => [
      String(shards),
      busiest(shards, stored).toFixed(2),
      busiest(shards, calls).toFixed(2),
      percent(1 / total),
    ]),
  ];
}

/** CRC16-CCITT (XModem), as the specification of Redis Cluster defines it. */
function crc16(text: string): number {
  let crc = 0;
  for (const byte of Buffer.from(text)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit += 1)
      crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff;
  }
  return crc;
}

function transpose(columns: readonly (readonly string[])[]): readonly (readonly string[])[] {
  return (columns[0] ?? []).map((_, row) => columns.map((column) => column[row] ?? ''));
}

function percent(part: number): string {
  return `${(part * 100).toFixed(part < 0.1 ? 1 : 0)}%`;
}

function short(value: number): string {
  if (value >= 1_000) return Math.round(value).toLocaleString('en-US');
  return value >= 10 ? value.toFixed(0) : value.toFixed(2);
}
