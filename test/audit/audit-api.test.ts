import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { errorQuotingKey, json, reset } from '../support/answers.ts';
import { type CallInit, call, type HandlerModule } from '../support/call.ts';
import { newProviderKey, startWorld, type World } from '../support/start-world.ts';
import { kvKey } from '../support/user-ids.ts';

let world: World;
let modules: Record<'keys' | 'key' | 'proxy' | 'generate' | 'search' | 'audit', HandlerModule>;
let user = 0;
let token: string;
const MAX_ENTRIES = 12;

beforeAll(async () => {
  world = await startWorld({ env: { AUDIT_MAX_ENTRIES: String(MAX_ENTRIES), AUDIT_MAX_AGE_DAYS: '30' } });
  modules = {
    keys: await import('../../api/userkeys.ts'),
    key: await import('../../api/userkeys.ts'),
    proxy: await import('../../api/proxy.ts'),
    generate: await import('../../api/generate.ts'),
    search: await import('../../api/userkeys.ts'),
    audit: await import('../../api/userkeys.ts'),
  };
});
afterAll(() => world.close());
beforeEach(async () => {
  user += 1;
  token = await world.tokenFor(`audited-${user}`);
  world.providers.reset();
});

type Entry = Readonly<Record<string, unknown>>;
const send = (module: keyof typeof modules, path: string, init: CallInit = {}) =>
  call(modules[module], path, { token, ...init });
const put = (provider = 'openai') =>
  send('key', `/api/keys/${provider}`, { method: 'PUT', json: { key: newProviderKey() } });
const read = async (query = ''): Promise<{ entries: Entry[]; nextCursor: string | null }> =>
  (await send('audit', `/api/audit${query}`)).json();
/** Waits until the log has that many entries, because it is written after the responses. Oldest first. */
async function logged(count: number): Promise<Entry[]> {
  const { entries } = await vi.waitFor(async () => {
    const page = await read();
    expect(page.entries).toHaveLength(count);
    return page;
  });
  return entries.toReversed();
}

test('every action on a key adds an entry', async () => {
  for (const method of ['PUT', 'PUT', 'POST', 'PATCH', 'DELETE']) {
    const body = { PUT: { key: newProviderKey() }, PATCH: { guards: { paused: true } } }[method];
    await send('key', '/api/keys/openai', { method, ...(body && { json: body }) });
    await vi.waitFor(async () => expect((await read()).entries.length).toBeGreaterThan(0));
  }
  await put('copilotkit');
  await send('key', '/api/keys/copilotkit');
  await send('keys', '/api/keys', { method: 'DELETE' });
  await send('keys', '/api/keys');
  const entries = await logged(8);
  const told = entries.map(({ action, provider, outcome, status }) => [action, provider, outcome, status]);
  expect(told).toEqual(
    expect.arrayContaining([
      ['save', 'openai', 'ok', 201],
      ['replace', 'openai', 'ok', 200],
      ['check', 'openai', 'ok', 200],
      ['guard', 'openai', 'ok', 200],
      ['delete', 'openai', 'ok', 204],
      ['reveal', 'copilotkit', 'ok', 200],
      ['delete_all', null, 'ok', 204],
    ]),
  );
});

test('the entry of a use has its route, model, tokens, duration and request id', async () => {
  await put();
  await logged(1);
  const response = await send('proxy', '/api/proxy/openai/v1/chat/completions', {
    method: 'POST',
    json: { model: 'gpt-test', messages: [] },
  });
  await response.text();
  const [, entry] = await logged(2);
  expect(entry).toEqual({
    time: expect.stringMatching(/^\d{4}-.*Z$/),
    action: 'use',
    route: 'gateway',
    provider: 'openai',
    outcome: 'ok',
    status: 200,
    durationMs: expect.any(Number),
    requestId: response.headers.get('x-userkeys-request-id'),
    model: 'gpt-test',
    inputTokens: 3,
    outputTokens: 5,
    count: 1,
    since: null,
  });
});

test('refusals are logged with their code, both ours and the provider’s', async () => {
  await send('generate', '/api/generate', { method: 'POST', json: { provider: 'openai', prompt: 'x' } });
  await logged(1);
  await send('key', '/api/keys/openai', { method: 'PUT', json: { key: 'refused-0123456789' } });
  await logged(2);
  await put();
  await logged(3);
  const bad = [errorQuotingKey(401), json({ error: 'slow' }, 429), reset];
  for (const [index, answer] of bad.entries()) {
    world.providers.answerNextWith(answer);
    await send('proxy', '/api/proxy/openai/v1/models');
    await logged(4 + index);
  }
  await send('key', '/api/keys/openai', { method: 'PATCH', json: { guards: { paused: true } } });
  await logged(7);
  await send('search', '/api/search', { method: 'POST', json: { wrong: 1 } });
  const entries = await logged(8);
  expect(entries.map(({ action, outcome, status }) => [action, outcome, status])).toEqual([
    ['use', 'key_missing', 403],
    ['save', 'key_rejected', 422],
    ['save', 'ok', 201],
    ['use', 'key_rejected', 401],
    ['use', 'provider_limited', 429],
    ['use', 'provider_unreachable', 502],
    ['guard', 'ok', 200],
    ['use', 'invalid_request', 400],
  ]);
});

test('no input or answer can add or change an entry', async () => {
  await put();
  await logged(1);
  const evil = 'gpt\r\ntime,2020,"use"\u2028=cmd()';
  world.providers.answerWith(json({ model: evil, usage: { prompt_tokens: 1, completion_tokens: -4 } }));
  const uses = [
    { path: `/v1/chat/completions?model=${encodeURIComponent(evil)}`, json: { model: evil } },
    { path: '/v1/chat/completions', json: { model: '=1+1' } },
    { path: '/v1/responses', json: { model: 'x', action: 'save', provider: 'exa', time: '2020' } },
  ];
  for (const { path, json: body } of uses) {
    await (await send('proxy', `/api/proxy/openai${path}`, { method: 'POST', json: body })).text();
  }
  await send('generate', '/api/generate', {
    method: 'POST',
    json: { prompt: evil, provider: 'exa', model: evil },
  });
  await send('key', `/api/keys/${encodeURIComponent(evil)}`, { method: 'DELETE' });
  await logged(6);
  const csv = await (await send('audit', '/api/audit?format=csv')).text();
  const lines = csv.trimEnd().split('\r\n');
  expect(lines).toHaveLength(7);
  for (const line of lines) expect(line).toMatch(/^([A-Za-z0-9_:.-]*,){12}[A-Za-z0-9_:.-]*$/);
  expect(csv).not.toContain('cmd');
  const ndjson = await (await send('audit', '/api/audit?format=ndjson')).text();
  expect(ndjson.trimEnd().split('\n')).toHaveLength(6);
  for (const { inputTokens, outputTokens, model } of (await read()).entries) {
    expect([inputTokens, outputTokens, model]).toSatisfy(([input, output, name]) =>
      input === null ? output === null : input === 1 && output === null && name === null,
    );
  }
});

test('pages are newest first, without gap or overlap, in every format', async () => {
  for (let index = 0; index < 7; index += 1) {
    await put();
    await logged(index + 1);
  }
  const all = (await read()).entries.map(({ requestId }) => requestId);
  const paged: unknown[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const page: Awaited<ReturnType<typeof read>> = await read(`?limit=3${cursor && `&cursor=${cursor}`}`);
    expect(page.entries.length).toBeLessThanOrEqual(3);
    paged.push(...page.entries.map(({ requestId }) => requestId));
    cursor = page.nextCursor;
  }
  expect(paged).toEqual(all);
  const byAccept = await send('audit', '/api/audit?limit=3', { headers: { accept: 'application/x-ndjson' } });
  expect(byAccept.headers.get('content-type')).toBe('application/x-ndjson');
  expect(byAccept.headers.get('link')).toMatch(
    /^<\/api\/audit\?limit=3&cursor=\d+-\d+-\d&format=ndjson>; rel="next"$/,
  );
  for (const bad of ['?limit=0', '?limit=1001', '?cursor=x', '?cursor=-', '?format=xml', '?user=other']) {
    expect((await send('audit', `/api/audit${bad}`)).status).toBe(400);
  }
});

test('a log keeps only the newest entries, and none beyond its maximum age', async () => {
  await Promise.all(Array.from({ length: MAX_ENTRIES + 5 }, () => put()));
  await vi.waitFor(async () => {
    const sum = world.kv.requests
      .flat()
      .filter((words) => words.includes(kvKey('security', `audited-${user}`))).length;
    expect(sum).toBeGreaterThanOrEqual(MAX_ENTRIES + 5);
  });
  await logged(MAX_ENTRIES);
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 31 * 24 * 60 * 60_000 });
  try {
    const now = Math.floor(Date.now() / 1000);
    token = await world.tokenFor(`audited-${user}`, { iat: now, exp: now + 60 });
    expect((await read()).entries).toEqual([]);
  } finally {
    vi.useRealTimers();
  }
});

test('a user sees only their own log', async () => {
  await put();
  await logged(1);
  token = await world.tokenFor('audited-stranger');
  expect(await read()).toEqual({ entries: [], nextCursor: null });
});

test('a store that rejects audit entries fails no call', async () => {
  await put();
  await logged(1);
  const { composeApp } = await import('../../lib/compose.ts');
  const { loadConfig } = await import('../../lib/config.ts');
  const { createUndiciSend } = await import('../../lib/outgoing/undici-send.ts');
  const { SendError } = await import('../../lib/outgoing/send.ts');
  const { serveApp } = await import('../support/serve-app.ts');
  const send = createUndiciSend();
  const written: Promise<unknown>[] = [];
  const app = composeApp(loadConfig(), {
    send,
    sendToKv: async (request) => {
      // The text of the script that records a call after its response.
      if (String(request.body).includes('nextArgument')) throw new SendError('unreachable');
      return send(request);
    },
    after: (work) => void written.push(work),
  });
  const response = await call(serveApp(app), '/api/proxy/openai/v1/models', { token });
  expect(response.status).toBe(200);
  await response.text();
  await expect(Promise.all(written)).resolves.toBeDefined();
});
