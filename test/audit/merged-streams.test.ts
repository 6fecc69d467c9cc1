/** The log is stored in several streams and read as one. */
import { createClient } from '@vercel/kv';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { call, type HandlerModule } from '../support/call.ts';
import { composeInWorld } from '../support/compose-in-world.ts';
import { startWorld, type World } from '../support/start-world.ts';
import { kvKey } from '../support/user-ids.ts';

let world: World;
let functions: HandlerModule;
let store: ReturnType<typeof createClient>;

beforeAll(async () => {
  world = await startWorld();
  functions = composeInWorld(world).functions;
  store = createClient({ url: world.kv.url, token: world.kv.token });
});
afterAll(() => world.close());

/** What a version before `count` and `since` stored. */
const formerFields = (requestId: string) => ({
  time: new Date().toISOString(),
  action: 'use',
  route: 'gateway',
  provider: 'openai',
  outcome: 'ok',
  status: '200',
  durationMs: '5',
  requestId,
  model: '',
  inputTokens: '',
  outputTokens: '',
});

test.each([1, 2, 3, 4, 7, 100])(
  'pages of %i entries neither skip nor repeat one, where streams use the same ids',
  async (limit) => {
    const sub = `merged-${limit}`;
    const token = await world.tokenFor(sub);
    const now = Date.now();
    const written: string[] = [];
    for (const [stream, ids] of [
      ['audit', [0, 1, 1, 2, 4, 5, 9]],
      ['security', [1, 1, 1, 3, 4, 9]],
      ['refusals', [0, 1, 2, 4, 4, 6]],
    ] as const) {
      for (const [index, ms] of ids.entries()) {
        const requestId = crypto.randomUUID();
        const sequence = ids.slice(0, index).filter((earlier) => earlier === ms).length;
        await store.xadd(kvKey(stream, sub), `${now + ms}-${sequence}`, formerFields(requestId));
        written.push(requestId);
      }
    }
    const read: string[] = [];
    let cursor: string | null = null;
    do {
      const query = new URLSearchParams({ limit: String(limit), ...(cursor && { cursor }) });
      const page: { entries: { requestId: string; count: number }[]; nextCursor: string | null } = await (
        await call(functions, `/api/audit?${query}`, { token })
      ).json();
      for (const { requestId, count } of page.entries) {
        expect(count).toBe(1);
        read.push(requestId);
      }
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(read).toHaveLength(written.length);
    expect(new Set(read)).toEqual(new Set(written));
    const exported = await (await call(functions, '/api/account', { token })).json();
    expect(exported.audit.map(({ requestId }: { requestId: string }) => requestId)).toEqual(read);
  },
);
