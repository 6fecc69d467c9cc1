/**
 * The parts of a call, one by one: each for a batch of calls before the next part begins. What a part left over is the
 * next one's. Sends the CPU microseconds of each part of each round to its parent.
 *
 *     parts.ts <rounds> <tokens>
 */
import { randomUUID } from 'node:crypto';
import { composeApp } from '../../lib/compose.ts';
import { loadConfig } from '../../lib/config.ts';
import { toStream } from '../../lib/outgoing/body.ts';
import { createUndiciSend } from '../../lib/outgoing/undici-send.ts';
import { startStages } from '../../lib/telemetry/stages.ts';
import { importMasterKey } from '../../lib/vault/node-cipher.ts';
import { deferWrite, forward, openKey, readRecord, verifyToken } from './by-hand-steps.ts';

const CALLERS = 32;
const CALLS = 320;

const [rounds, tokenList = ''] = process.argv.slice(2);
const tokens = tokenList.split(',');
const body = JSON.stringify({
  model: 'bench-json',
  messages: [{ role: 'user', content: 'Write 150 words.' }],
});
const path = '/v1/chat/completions';
const type = 'application/json';

type Part = {
  readonly part: string;
  readonly who: string;
  readonly round: number;
  readonly cpuMicros: number;
};
const measured: Part[] = [];

/** Runs one part for every item, 32 at a time. */
async function measure<In, Out>(
  [part, who, round]: readonly [part: string, who: string, round: number],
  items: readonly In[],
  run: (item: In) => Promise<Out>,
): Promise<readonly Out[]> {
  const results: Out[] = [];
  const left = items.entries();
  const caller = async () => {
    for (const [index, item] of left) results[index] = await run(item);
  };
  const before = process.cpuUsage();
  await Promise.all(Array.from({ length: CALLERS }, caller));
  const { user, system } = process.cpuUsage(before);
  measured.push({ part, who, round, cpuMicros: (user + system) / items.length });
  return results;
}

const calls = Array.from({ length: CALLS }, (_, index) => tokens[index % tokens.length] ?? '');

async function byHand(round: number): Promise<void> {
  const step = (part: string) => [part, 'by hand', round] as const;
  const subs = await measure(step('verify'), calls, verifyToken);
  const read = await measure(step('KV request'), subs, async (sub) => ({
    sub,
    record: await readRecord(sub),
  }));
  const keys = await measure(step('open'), read, async ({ sub, record }) => openKey(sub, record));
  await measure(step('forward'), keys, async (key) => {
    const answer = await forward({ path, type, body, key });
    return answer.body.text();
  });
  await measure(step('deferred write'), subs, (sub) => deferWrite(sub, 200));
}

const deferred: Promise<unknown>[] = [];
const app = composeApp(loadConfig(), {
  send: createUndiciSend(),
  after: (work) => void deferred.push(work),
  importMasterKey,
});

async function userkeys(round: number): Promise<void> {
  const step = (part: string) => [part, 'userkeys', round] as const;
  const requests = calls.map(
    (token) => new Request('http://gateway/', { headers: { authorization: `Bearer ${token}` } }),
  );
  const users = await measure(step('verify'), requests, (request) => app.authenticate(request));
  const admitted = await measure(step('KV request'), users, async (user) => {
    const call = { user, requestId: randomUUID(), stages: startStages(), action: 'use' as const };
    const journal = await app.openJournal(call);
    journal.note({ route: 'gateway', provider: 'openai' });
    return { journal, keys: await app.openKeys(user, ['openai'], { journal, take: 'first' }) };
  });
  const open = await measure(step('open'), admitted, async ({ journal, keys }) => ({
    journal,
    key: await keys.get('openai'),
  }));
  await measure(step('forward'), open, async ({ journal, key }) => {
    const answer = await journal.meter(app.send)({
      method: 'POST',
      url: process.env.OPENAI_BASE_URL + path,
      headers: { authorization: `Bearer ${key.reveal()}`, 'content-type': type },
      body,
      answerTimeoutMs: 10_000,
      idleTimeoutMs: 10_000,
    });
    return new Response(toStream(answer.body)).text();
  });
  await measure(step('deferred write'), open, async ({ journal }) => {
    journal.end({ status: 200, outcome: 'ok' });
    await deferred.pop();
  });
}

for (let round = -1; round < Number(rounds); round += 1) {
  await byHand(round);
  await userkeys(round);
}
process.send?.(measured.filter(({ round }) => round >= 0));
process.disconnect();
