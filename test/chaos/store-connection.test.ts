/** Cuts and stalls the connection to the store at every request of every operation. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { lazy } from '../../lib/lazy.ts';
import { findTraces } from '../account/store-dump.ts';
import { faults, startFaultyStore } from '../support/faulty-store.ts';
import { startWorld, type World } from '../support/start-world.ts';
import { composeAsk, impatientSend } from './compose-ask.ts';
import {
  type Ask,
  auditedActions,
  callsOf,
  newPerson,
  operations,
  type Person,
  seenBy,
  storeKeys,
} from './person.ts';
import { faultsInStore } from './store-invariants.ts';

let world: World;
/** The app after everything has recovered. */
let askHealthy: Ask;

beforeAll(async () => {
  world = await startWorld();
  askHealthy = composeAsk(world.kv.url);
});
afterAll(() => world.close());

let cases = 0;
afterAll(() => void process.stdout.write(`${cases} failures of the connection to the store were tried\n`));

describe.each(operations)('$name', (operation) => {
  async function prepare(): Promise<Person> {
    const person = await newPerson(world);
    if (operation.begins === 'with keys') await storeKeys(askHealthy, person);
    return person;
  }

  /** How it is without failures: the number of requests, and what the person sees before and afterwards. */
  const measure = lazy(async () => {
    const person = await prepare();
    const logged = (await auditedActions(askHealthy, person)).length;
    const former = await seenBy(askHealthy, world, person);
    const store = await startFaultyStore(() => world.kv);
    const { status } = await operation.run(composeAsk(store.url, { sendToKv: impatientSend() }), person);
    expect(status).toBeLessThan(300);
    await store.close();
    return { requests: store.requests(), logged, former, next: await seenBy(askHealthy, world, person) };
  });

  test.concurrent.each(faults)('%s', async (fault) => {
    const { requests, logged, former, next } = await measure();
    expect(requests).toBeGreaterThan(0);
    const store = await startFaultyStore(() => world.kv);
    const ask = composeAsk(store.url, { sendToKv: impatientSend() });
    for (let n = 1; n <= requests; n += 1) {
      const where = `request ${n} of ${requests}`;
      cases += 1;
      const person = await prepare();
      const callsBefore = world.calls.length;
      store.failAt(n, fault);
      const answer = await operation.run(ask, person);
      store.heal();

      const isDone = answer.status >= 200 && answer.status < 300;
      if (!isDone) expect(JSON.parse(answer.text), where).toMatchObject({ code: 'store_unavailable' });
      const called = callsOf(world, person, callsBefore);
      expect(called, where).not.toContain('foreign');
      if (n === 1) expect(called, 'no provider is called before the store has answered').toEqual([]);

      if (isDone && operation.name === 'erase') {
        expect(await findTraces(world.kv, person.sub), where).toEqual([]);
      }
      expect(await faultsInStore(world.kv, world, person), where).toEqual([]);
      const audited = await auditedActions(askHealthy, person);
      const seen = await seenBy(askHealthy, world, person);
      if (isDone) expect(seen, where).toEqual(next);
      else if (n === 1 && fault.endsWith('before')) expect(seen, where).toEqual(former);
      else expect([former, next], where).toContainEqual(seen);
      // A log that says that the operation was done is right.
      if (audited.length > logged) expect(seen, where).toEqual(next);

      const again = await operation.run(ask, person);
      expect(again.status, `${where}: the next call works`).toBeLessThan(300);
      expect(await seenBy(askHealthy, world, person), where).toEqual(next);
    }
    await store.close();
  });
});
