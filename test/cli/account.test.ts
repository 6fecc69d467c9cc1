/** `npm run account` as an operator runs it. */

import { once } from 'node:events';
import { createServer } from 'node:http';
import { json } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { z } from 'zod';
import { type RunningKv, startKv } from '../../dev/kv/start-kv.ts';
import type { Kv } from '../../lib/kv/kv.ts';
import { query } from '../../lib/kv/query.ts';
import { dumpStore, findTraces } from '../account/store-dump.ts';
import { connect, fillStore, ringOf } from '../rotation/fill-store.ts';
import { newMasterKey, newProviderKey, TEST_TENANT } from '../support/start-world.ts';
import { kvKey } from '../support/user-ids.ts';
import { type Ran, runUserkeys } from './run-userkeys.ts';

/** Each test starts several processes, which are slow to start on a busy machine. */
vi.setConfig({ testTimeout: 90_000 });

const k1 = newMasterKey('k1');

let store: RunningKv;
let kv: Kv;
let providerKey: string;

beforeEach(async () => {
  store = await startKv();
  kv = connect(store);
  providerKey = newProviderKey();
});
afterEach(() => store.close());

/** Runs `userkeys account` on the store at that address. Nothing that it prints contains a key of any kind. */
async function accountAt(url: string, ...args: readonly string[]): Promise<Ran> {
  const env = {
    KV_REST_API_URL: url,
    KV_REST_API_TOKEN: store.token,
    VAULT_KEYS: k1,
    AUTH_TENANT: TEST_TENANT,
  };
  const ran = await runUserkeys(['account', ...args], env);
  for (const secret of [store.token, providerKey, k1.split(':')[1]]) {
    if (secret) expect(ran.text).not.toContain(secret);
  }
  return ran;
}
const account = (...args: readonly string[]) => accountAt(store.url, ...args);
const fill = async (masterKey: string, ...users: readonly string[]) =>
  fillStore(kv, await ringOf(masterKey), users, ['openai'], () => providerKey);

describe('npm run account', () => {
  test('exports what is stored about a user as JSON, and erases it after --yes alone', async () => {
    await fill(k1, 'auth0|leaver', 'stayer');
    const exported = await account('export', '--user', 'auth0|leaver');
    expect(exported.code).toBe(0);
    expect(JSON.parse(exported.text)).toMatchObject({
      user: 'auth0|leaver',
      keys: [{ provider: 'openai', hint: providerKey.slice(-4) }],
    });
    expect(await account('erase', '--user', 'auth0|leaver')).toMatchObject({
      code: 1,
      text: expect.stringContaining('Add --yes to erase without it.'),
    });
    expect((await dumpStore(store)).join()).toContain('leaver');
    const erased = await account('erase', '--user', 'auth0|leaver', '--yes');
    expect(erased).toMatchObject({
      code: 0,
      text: expect.stringContaining('Everything about the user is erased'),
    });
    const again = await account('erase', '--user', 'auth0|leaver', '--yes');
    expect(again).toMatchObject({ code: 0, text: expect.stringContaining('Nothing was stored for this id') });
    expect(again.text).not.toContain('✓');
    expect(await findTraces(store, 'auth0|leaver')).toEqual([]);
    expect((await dumpStore(store)).join()).toContain('stayer');
  });

  test('says so when a trace is left that it does not know', async () => {
    await kv.run(
      query(
        (pipeline) =>
          pipeline
            .set('userkeys:forgotten:2026-01-01:leaver', 'x')
            .set('userkeys:keys:not:leaver', 'x')
            .set(kvKey('forgotten:2026-01-01', 'leaver'), 'x')
            .set(kvKey('keys', 'not:leaver'), 'x'),
        z.unknown(),
      ),
    );
    const { code, text } = await account('erase', '--user', 'leaver', '--yes');
    expect(code).toBe(1);
    expect(text).toContain('userkeys:forgotten:2026-01-01:leaver');
    expect(text).toContain(kvKey('forgotten:2026-01-01', 'leaver'));
    expect(text).not.toMatch(/not(:|%3A)leaver/);
  });

  test('exits with 2 and says why for a wrong command line', async () => {
    for (const [args, reason] of [
      [[], 'A command is missing: export or erase.'],
      [['erase'], "Required option '--user <sub>' not specified."],
      [['export', '--user', ''], 'Give 1 to 255 printable ASCII characters.'],
      [['burn', '--user', 'a'], "Unknown command 'burn'."],
    ] as const) {
      const { code, text } = await account(...args);
      expect(code).toBe(2);
      expect(text).toContain(reason);
      expect(text).toContain('npm run account -- ');
    }
  });

  test('does not take an answer of an unexpected shape for an erased user', async () => {
    const server = createServer(async (request, response) => {
      const commands: unknown = await json(request);
      const answers = Array.isArray(commands) ? commands.map(() => ({ result: { odd: 'answer' } })) : [];
      response.writeHead(200).end(JSON.stringify(answers));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const { code, text } = await accountAt(`http://127.0.0.1:${port}`, 'erase', '--user', 'leaver', '--yes');
    expect(code).toBe(1);
    expect(text).toContain('store_answer_unexpected');
    expect(text).not.toMatch(/is erased|Nothing was stored/);
  });
});
