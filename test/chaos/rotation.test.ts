/** Cuts and stalls the connection to the store at every request of a rotation of master keys. */
import { afterAll, expect, test } from 'vitest';
import { startKv } from '../../dev/kv/start-kv.ts';
import { createKv } from '../../lib/kv/kv.ts';
import { countRecords, rotationStep } from '../../lib/rotation/rotation.ts';
import { Secret } from '../../lib/secret.ts';
import { openKey } from '../../lib/vault/envelope.ts';
import type { KeyRing } from '../../lib/vault/key-ring.ts';
import { readRecords } from '../../lib/vault/records.ts';
import { connect, fillStore, ringOf } from '../rotation/fill-store.ts';
import { faults, startFaultyStore } from '../support/faulty-store.ts';
import { newMasterKey, newProviderKey } from '../support/start-world.ts';
import { userId } from '../support/user-ids.ts';
import { impatientSend } from './compose-ask.ts';

const STEP = { maxMs: 10_000, maxUsers: 1_000_000 };
const AUDIT = { maxEntries: 100, maxAgeDays: 90 };
const USERS = ['ann', 'bob', 'cem'];
const PROVIDERS = ['openai', 'exa'] as const;

let cases = 0;
afterAll(() => void process.stdout.write(`${cases} failures during a rotation were tried\n`));

test.each(faults)('%s: no record is lost, and the next rotation finishes the work', async (fault) => {
  const real = await startKv();
  const store = await startFaultyStore(() => real);
  const [kv, healthy] = [
    createKv({ url: store.url, token: new Secret(real.token) }, impatientSend()),
    connect(real),
  ];
  const key = (of: string) => `sk-${of}-${newProviderKey()}`;
  let current = newMasterKey();
  const keys = new Map<string, string>(
    USERS.flatMap((sub) => PROVIDERS.map((provider) => [`${sub} ${provider}`, key(sub)] as const)),
  );
  await fillStore(
    healthy,
    await ringOf(current),
    USERS,
    PROVIDERS,
    (sub, provider) => keys.get(`${sub} ${provider}`) ?? '',
  );

  for (let n = 1; ; n += 1) {
    const next = newMasterKey();
    const rotation = { ring: await ringOf(next, current), clock: () => new Date(), auditBounds: AUDIT };
    store.failAt(n, fault);
    const outcome = await rotationStep({ ...rotation, kv }, STEP, { evenIfIdle: true }).catch(
      (error: unknown) => error,
    );
    const isOver = store.requests() < n;
    store.heal();
    cases += 1;
    if (isOver) expect(outcome).toMatchObject({ outcome: 'finished' });
    expect(await readAll(rotation.ring)).toEqual(keys);

    // Resumes where the state says it was, and then counts every record once more.
    for (let steps = 0; steps < 3; steps += 1)
      await rotationStep({ ...rotation, kv: healthy }, STEP, { evenIfIdle: true });
    const tally = await countRecords({ ...rotation, kv: healthy });
    expect([...tally.left.keys()], `request ${n}`).toEqual([rotation.ring.currentKid]);
    expect(tally.unreadable).toBe(0);
    expect(await readAll(await ringOf(next)), `request ${n}`).toEqual(keys);
    current = next;
    if (isOver) break;
  }
  await store.close();
  await real.close();

  async function readAll(ring: KeyRing): Promise<ReadonlyMap<string, string>> {
    const all = new Map<string, string>();
    for (const sub of USERS) {
      const user = userId(sub);
      for (const [provider, { record }] of await healthy.run(readRecords(user, PROVIDERS))) {
        const opened = await openKey(ring, { user, provider }, record?.jwe ?? '');
        all.set(`${sub} ${provider}`, opened.reveal());
      }
    }
    return all;
  }
});
