/** A key and a token that must never appear in a response, a log line, an error or its cause. */
import { inspect } from 'node:util';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { composeApp } from '../../lib/compose.ts';
import { loadConfig } from '../../lib/config.ts';
import { SendError } from '../../lib/outgoing/send.ts';
import { createUndiciSend } from '../../lib/outgoing/undici-send.ts';
import { errorQuotingKey, hang, json, redirectTo, reset, resetMidway } from '../support/answers.ts';
import { call, type HandlerModule } from '../support/call.ts';
import { newProviderKey, startWorld, type World } from '../support/start-world.ts';

let world: World;
const seen: string[] = [];
const key = newProviderKey('canary-key-');
let token: string;
let modules: Record<'keys' | 'key' | 'generate' | 'search' | 'proxy' | 'audit' | 'usage', HandlerModule>;

beforeAll(async () => {
  world = await startWorld({ env: { PROVIDER_TIMEOUT_SECONDS: '1', LOG_EVERY_CALL: 'true' } });
  for (const method of ['log', 'info', 'warn', 'error', 'debug', 'trace'] as const) {
    vi.spyOn(console, method).mockImplementation((...args) => void seen.push(inspect(args, { depth: 9 })));
  }
  for (const stream of [process.stdout, process.stderr]) {
    vi.spyOn(stream, 'write').mockImplementation((chunk) => {
      seen.push(String(chunk));
      return true;
    });
  }
  modules = {
    keys: await import('../../api/userkeys.ts'),
    key: await import('../../api/userkeys.ts'),
    generate: await import('../../api/generate.ts'),
    search: await import('../../api/userkeys.ts'),
    proxy: await import('../../api/proxy.ts'),
    audit: await import('../../api/userkeys.ts'),
    usage: await import('../../api/userkeys.ts'),
  };
  token = await world.tokenFor('canary');
});
afterAll(async () => {
  vi.restoreAllMocks();
  await world.close();
});

async function collectOutput(response: Promise<Response>): Promise<void> {
  const { status, headers, ...rest } = await response;
  seen.push(`${status} ${inspect([...headers])} ${inspect(rest)}`);
  seen.push(await (await response).text().catch((error: unknown) => inspect(error, { depth: 9 })));
}

test('no failure of provider, store or issuer reveals the key or the token', async () => {
  const put = (value: unknown) =>
    call(modules.key, '/api/keys/openai', { method: 'PUT', token, json: { key: value } });
  const uses = () => [
    call(modules.proxy, '/api/proxy/openai/v1/models', { token }),
    call(modules.proxy, `/api/proxy/openai/v1/models?x=${token}`, { method: 'POST', token, json: { a: 1 } }),
    call(modules.generate, '/api/generate', {
      method: 'POST',
      token,
      json: { provider: 'openai', prompt: 'hi' },
    }),
    call(modules.generate, '/api/generate', {
      method: 'POST',
      token,
      json: { provider: 'openai', prompt: 'hi', stream: true },
    }),
    call(modules.search, '/api/search', { method: 'POST', token, json: { query: 'q' } }),
    call(modules.key, '/api/keys/openai', { method: 'POST', token }),
    call(modules.key, '/api/keys/openai', { token }),
    call(modules.keys, '/api/keys', { token }),
  ];
  for (const bad of [`${key}\n`, `${key}\nx`, { key }, [key], `${key}${'x'.repeat(5000)}`, `${key}\u0000`])
    await collectOutput(put(bad));
  await collectOutput(
    call(modules.key, '/api/keys/openai', { method: 'PUT', token, body: `{"key":"${key}` }),
  );
  await collectOutput(call(modules.key, `/api/keys/${key}`, { method: 'PUT', token, json: { key } }));
  world.providers.answerNextWith(errorQuotingKey(401));
  await collectOutput(put(key));
  await collectOutput(put(key));
  await collectOutput(call(modules.key, '/api/keys/gemini', { method: 'PUT', token, json: { key } }));
  await collectOutput(call(modules.key, '/api/keys/exa', { method: 'PUT', token, json: { key } }));

  const bad = [errorQuotingKey(400), errorQuotingKey(401), errorQuotingKey(500), reset, resetMidway, hang];
  for (const answer of [...bad, redirectTo(`http://127.0.0.1:9/?key=${key}`), json(`text ${key}`, 403)]) {
    world.providers.answerWith(answer);
    await Promise.all(uses().map(collectOutput));
  }
  world.providers.reset();
  // A provider that returns the key and the token in place of token counts and model names.
  const usage = { prompt_tokens: 1, completion_tokens: token };
  world.providers.answerNextWith(json({ model: `${key} ${token}`, usage, text: token }));
  const echoed = await call(modules.proxy, '/api/proxy/openai/v1/chat/completions', {
    method: 'POST',
    token,
    json: { model: `${key}/${token}` },
  });
  await echoed.text();
  world.providers.answerNextWith(json({ model: `models/${key}`, usage: { prompt_tokens: 1 } }));
  await (
    await call(modules.proxy, '/api/proxy/openai/v1/responses', { method: 'POST', token, json: {} })
  ).text();
  await call(modules.proxy, `/api/proxy/gemini/v1beta/models/${key}:generateContent`, {
    method: 'POST',
    token,
  });
  for (const guards of [{ models: [`${key} x`] }, { expiresAt: token }, { [key]: true }, { paused: key }])
    await collectOutput(call(modules.key, '/api/keys/openai', { method: 'PATCH', token, json: { guards } }));
  await vi.waitFor(() =>
    expect(
      world.kv.requests
        .at(-1)
        ?.flat()
        // The text of the script that records a call after its response.
        .some((word) => word.includes('nextArgument')),
    ).toBe(true),
  );
  for (const query of ['', '?format=csv', '?format=ndjson', `?cursor=${key}`, `?${token}=1`])
    await collectOutput(call(modules.audit, `/api/audit${query}`, { token }));
  await collectOutput(call(modules.usage, '/api/usage', { token }));
  await collectOutput(call(modules.usage, `/api/usage?from=${key}`, { token }));
  world.issuer.answerJwksWith(() => new Response(token, { status: 500 }));
  await collectOutput(call(modules.keys, '/api/keys', { token: `${token}x` }));
  await world.kv.stop();
  await Promise.all(uses().map(collectOutput));

  expect(seen.length).toBeGreaterThan(100);
  const everything = seen.join('\n');
  expect(everything).not.toContain(key);
  expect(everything).not.toContain(token);
  expect(everything).not.toContain(token.split('.')[2]);
  expect(everything).not.toContain(world.kv.token);
  expect(everything).not.toContain(world.env.VAULT_KEYS);
});

test('errors thrown inside withUserKeys contain neither key nor cause', async () => {
  const failing = await composeApp(loadConfig(), {
    send: async (request) => {
      if (request.url.includes('/pipeline')) throw new SendError('unreachable');
      return createUndiciSend()(request);
    },
    after: () => {},
  });
  const user = await failing
    .authenticate(
      new Request('http://x/', { headers: { authorization: `Bearer ${await world.tokenFor('canary')}` } }),
    )
    .catch((error: unknown) => error);
  expect(inspect(user, { depth: 9 })).not.toContain(token);
});
