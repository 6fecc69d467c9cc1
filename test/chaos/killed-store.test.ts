/** Kills the store at every request of an operation, and starts it again on the same data. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { findTraces } from '../account/store-dump.ts';
import { startFaultyStore } from '../support/faulty-store.ts';
import { startWorld, type World } from '../support/start-world.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { composeAsk } from './compose-ask.ts';
import { callsOf, newPerson, operations, seenBy, storeKeys } from './person.ts';
import { faultsInStore } from './store-invariants.ts';

const SERVE_KV = join(import.meta.dirname, '../dev/kv/serve-kv.ts');
const KILLED = ['save', 'replace', 'delete', 'call', 'erase'];

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.close());

let kills = 0;
afterAll(() => void process.stdout.write(`${kills} stores were killed\n`));

/** A store that keeps its data, and can be killed and started again. */
async function startMortalStore() {
  const dataDirectory = await temporaryDirectory();
  let current = await start();
  let restarted = Promise.resolve();
  onTestFinished(() => kill(current.child));

  async function start() {
    const child = spawn(process.execPath, [SERVE_KV, JSON.stringify({ dataDirectory })], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = await once(createInterface(child.stdout), 'line');
    return { child, ...z.object({ url: z.string(), token: z.string() }).parse(JSON.parse(line)) };
  }
  return {
    at: () => current,
    restart(): Promise<void> {
      restarted = kill(current.child).then(async () => {
        kills += 1;
        current = await start();
      });
      return restarted;
    },
    /** A caller may give up before the store is there again. */
    ready: () => restarted,
  };
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

test.each(operations.filter(({ name }) => KILLED.includes(name)))(
  '$name',
  { timeout: 120_000 },
  async (operation) => {
    const mortal = await startMortalStore();
    const front = await startFaultyStore(mortal.at);
    const ask = composeAsk(front.url);
    async function prepare() {
      const person = await newPerson(world);
      if (operation.begins === 'with keys') await storeKeys(ask, person);
      return person;
    }

    const measured = await prepare();
    const former = await seenBy(ask, world, measured);
    front.heal();
    expect((await operation.run(ask, measured)).status).toBeLessThan(300);
    const requests = front.requests();
    const next = await seenBy(ask, world, measured);

    for (const moment of ['before', 'after'] as const) {
      for (let n = 1; n <= requests; n += 1) {
        const where = `killed ${moment} request ${n} of ${requests}`;
        const person = await prepare();
        const callsBefore = world.calls.length;
        front.failAt(n, moment === 'before' ? { before: mortal.restart } : { after: mortal.restart });
        const answer = await operation.run(ask, person);
        await mortal.ready();
        front.heal();
        expect(callsOf(world, person, callsBefore), where).not.toContain('foreign');
        const isDone = answer.status >= 200 && answer.status < 300;
        const at = { ...mortal.at() };
        if (isDone && operation.name === 'erase') {
          expect(await findTraces(at, person.sub), where).toEqual([]);
        }
        expect(await faultsInStore(at, world, person), where).toEqual([]);
        const seen = await seenBy(ask, world, person);
        if (isDone) expect(seen, where).toEqual(next);
        else expect([former, next], where).toContainEqual(seen);
        expect((await operation.run(ask, person)).status, `${where}: the next call works`).toBeLessThan(300);
      }
    }
    await front.close();
  },
);
