/** Kills the process that runs the functions at every request that an operation makes to the store. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { serve } from '../../lib/serve.ts';
import { findTraces } from '../account/store-dump.ts';
import { type Break, type FaultyStore, startFaultyStore } from '../support/faulty-store.ts';
import { startWorld, type World } from '../support/start-world.ts';
import { composeAsk } from './compose-ask.ts';
import {
  type Ask,
  askModule,
  callsOf,
  newPerson,
  operations,
  type Person,
  seenBy,
  storeKeys,
} from './person.ts';
import { faultsInStore } from './store-invariants.ts';

const KILLED = ['save', 'replace', 'delete', 'call', 'streamed call', 'erase'];

let world: World;
let store: FaultyStore;
/** The functions in this process, on the same store: what the next process sees. */
let askHealthy: Ask;
/** The next process is started while the current one is used. */
let spare: Promise<Instance>;

beforeAll(async () => {
  world = await startWorld();
  store = await startFaultyStore(() => world.kv);
  askHealthy = askModule(serve(), async () => undefined);
  spare = startInstance();
});
afterAll(async () => {
  await (await spare).kill();
  await store.close();
  await world.close();
});

type Instance = { readonly ask: Ask; readonly kill: Break };

async function startInstance(): Promise<Instance> {
  const child = fork(new URL('./serve-functions.ts', import.meta.url), {
    env: { ...world.env, KV_REST_API_URL: store.url, PATH: process.env.PATH },
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    execArgv: [],
  });
  const [message] = await once(child, 'message');
  const url = z.url().parse(message);
  return {
    kill: () => kill(child),
    async ask(method, path, { token, json }) {
      const response = await fetch(url + path, {
        method,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: json === undefined ? null : JSON.stringify(json),
      }).catch(() => undefined);
      const text = await response?.text().catch(() => undefined);
      if (response === undefined || text === undefined) return { status: 0, text: '' };
      return { status: response.status, text };
    },
  };
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

function nextInstance(): Promise<Instance> {
  const instance = spare;
  spare = instance.then(startInstance);
  return instance;
}

let kills = 0;
afterAll(() => void process.stdout.write(`${kills} processes were killed\n`));

test.each(operations.filter(({ name }) => KILLED.includes(name)))(
  '$name',
  { timeout: 120_000 },
  async (operation) => {
    async function prepare(): Promise<Person> {
      const person = await newPerson(world);
      if (operation.begins === 'with keys') await storeKeys(askHealthy, person);
      return person;
    }

    const measured = await prepare();
    const former = await seenBy(askHealthy, world, measured);
    store.heal();
    expect((await operation.run(composeAsk(store.url), measured)).status).toBeLessThan(300);
    const requests = store.requests();
    const next = await seenBy(askHealthy, world, measured);
    let instance = await nextInstance();

    for (const moment of ['before', 'after'] as const) {
      for (let n = 1; n <= requests; n += 1) {
        const person = await prepare();
        let isKilled: Promise<void> | undefined;
        const { kill } = instance;
        const stop = () => (isKilled ??= kill());
        store.failAt(n, moment === 'before' ? { before: stop } : { after: stop });
        const callsBefore = world.calls.length;
        const answer = await operation.run(instance.ask, person);
        // The request may be one that follows the answer.
        await expect.poll(() => isKilled !== undefined).toBe(true);
        await isKilled;
        store.heal();
        kills += 1;
        const where = `killed ${moment} request ${n}`;

        expect(callsOf(world, person, callsBefore), where).not.toContain('foreign');
        if (answer.status === 204 && operation.name === 'erase') {
          expect(await findTraces(world.kv, person.sub), where).toEqual([]);
        }
        expect(await faultsInStore(world.kv, world, person), where).toEqual([]);
        const seen = await seenBy(askHealthy, world, person);
        const isDone = answer.status >= 200 && answer.status < 300;
        if (isDone) expect(seen, where).toEqual(next);
        else expect([former, next], where).toContainEqual(seen);

        instance = await nextInstance();
        // On a busy machine, a process that has just started may be told to try again.
        await expect
          .poll(async () => (await operation.run(instance.ask, person)).status, { message: where })
          .toBeLessThan(300);
        expect(await seenBy(askHealthy, world, person), where).toEqual(next);
      }
    }
    await instance.kill();
  },
);
