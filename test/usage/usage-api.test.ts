import Anthropic from '@anthropic-ai/sdk';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Answer, events, json } from '../support/answers.ts';
import { type CallInit, call, type HandlerModule } from '../support/call.ts';
import { newProviderKey, startWorld, type World } from '../support/start-world.ts';

let world: World;
let modules: Record<'key' | 'proxy' | 'generate' | 'search' | 'usage', HandlerModule>;
let user = 0;
let token: string;

const PRICES = {
  currency: 'EUR',
  perMillionTokens: { openai: { 'gpt-priced': { input: 2, output: 10, cachedInput: 1 } } },
};

beforeAll(async () => {
  world = await startWorld({ env: { USAGE_PRICES: JSON.stringify(PRICES) } });
  modules = {
    key: await import('../../api/userkeys.ts'),
    proxy: await import('../../api/proxy.ts'),
    generate: await import('../../api/generate.ts'),
    search: await import('../../api/userkeys.ts'),
    usage: await import('../../api/userkeys.ts'),
  };
});
afterAll(() => world.close());
beforeEach(async () => {
  user += 1;
  token = await world.tokenFor(`counted-${user}`);
  world.providers.reset();
});

type Row = Readonly<Record<string, unknown>>;
const send = (module: keyof typeof modules, path: string, init: CallInit = {}) =>
  call(modules[module], path, { token, ...init });
const put = (provider: string) =>
  send('key', `/api/keys/${provider}`, { method: 'PUT', json: { key: newProviderKey() } });
async function rows(count = 1): Promise<Row[]> {
  return vi.waitFor(async () => {
    const { rows: found } = await (await send('usage', '/api/usage')).json();
    expect(found).toHaveLength(count);
    return found;
  });
}

function newGate() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open: () => open() };
}

const sse = (value: unknown) => `data: ${JSON.stringify(value)}`;
const wide = { choices: [{ delta: { content: 'x'.repeat(100_000) } }] };
const chatUsage = { prompt_tokens: 12, completion_tokens: 34, prompt_tokens_details: { cached_tokens: 5 } };
const responsesUsage = { input_tokens: 21, output_tokens: 43, input_tokens_details: { cached_tokens: 0 } };
const anthropicUsage = {
  input_tokens: 7,
  output_tokens: 9,
  cache_read_input_tokens: 2,
  cache_creation_input_tokens: 3,
};
const geminiUsage = {
  promptTokenCount: 8,
  candidatesTokenCount: 6,
  thoughtsTokenCount: 4,
  totalTokenCount: 18,
};

const cases: readonly [string, string, string, Answer, Row][] = [
  [
    'OpenAI chat',
    'openai',
    '/v1/chat/completions',
    json({
      model: 'm-1',
      choices: [{ message: { content: '"usage":{"prompt_tokens":999}' } }],
      usage: chatUsage,
    }),
    { model: 'm-1', inputTokens: 12, outputTokens: 34, cachedInputTokens: 5 },
  ],
  [
    'OpenAI chat, streamed',
    'openai',
    '/v1/chat/completions',
    events([
      sse({ model: 'm-1', ...wide, usage: null }),
      sse({ model: 'm-1', choices: [], usage: chatUsage }),
      'data: [DONE]',
    ]),
    { model: 'm-1', inputTokens: 12, outputTokens: 34, cachedInputTokens: 5 },
  ],
  [
    'OpenAI Responses',
    'openai',
    '/v1/responses',
    json({ model: 'm-1', output: [{ usage: { input_tokens: 999 } }], usage: responsesUsage }),
    { model: 'm-1', inputTokens: 21, outputTokens: 43 },
  ],
  [
    'OpenAI Responses, streamed',
    'openai',
    '/v1/responses',
    events([
      `event: response.created\n${sse({ type: 'response.created', response: { model: 'm-1', usage: null } })}`,
      sse({ type: 'response.output_text.delta', delta: '{"usage":{"input_tokens":999}}' }),
      sse({ type: 'response.completed', response: { model: 'm-1', output: [wide], usage: responsesUsage } }),
    ]),
    { model: 'm-1', inputTokens: 21, outputTokens: 43 },
  ],
  [
    'Anthropic',
    'anthropic',
    '/v1/messages',
    json({ model: 'm-1', content: [], usage: anthropicUsage }),
    { model: 'm-1', inputTokens: 7, outputTokens: 9, cacheReadTokens: 2, cacheWriteTokens: 3 },
  ],
  [
    'Anthropic, streamed',
    'anthropic',
    '/v1/messages',
    events([
      `event: message_start\n${sse({ type: 'message_start', message: { model: 'm-1', usage: { ...anthropicUsage, output_tokens: 1 } } })}`,
      sse({ type: 'content_block_delta', delta: { text: 'é"\\' } }),
      sse({ type: 'message_delta', delta: {}, usage: { output_tokens: 9 } }),
    ]),
    { model: 'm-1', inputTokens: 7, outputTokens: 9, cacheReadTokens: 2, cacheWriteTokens: 3 },
  ],
  [
    'Gemini',
    'gemini',
    '/v1beta/models/m-1:generateContent',
    json({ candidates: [], usageMetadata: geminiUsage, modelVersion: 'm-1' }),
    { model: 'm-1', inputTokens: 8, outputTokens: 10 },
  ],
  [
    'Gemini, streamed as events: the last figures count',
    'gemini',
    '/v1beta/models/m-1:streamGenerateContent?alt=sse',
    events([
      sse({ candidates: [], usageMetadata: { promptTokenCount: 8, candidatesTokenCount: 1 } }),
      sse({ candidates: [], usageMetadata: geminiUsage }),
    ]),
    { model: 'm-1', inputTokens: 8, outputTokens: 10 },
  ],
  [
    'Gemini, streamed as an array',
    'gemini',
    '/v1beta/models/m-1:streamGenerateContent',
    json([
      { usageMetadata: { promptTokenCount: 8, candidatesTokenCount: 1 } },
      { usageMetadata: geminiUsage },
    ]),
    { model: 'm-1', inputTokens: 8, outputTokens: 10 },
  ],
];

describe.each(cases)('%s', (_what, provider, path, answer, expected) => {
  test('records the provider’s own token counts, and the answer passes unchanged', async () => {
    await put(provider);
    world.providers.answerNextWith(answer);
    const response = await send('proxy', `/api/proxy/${provider}${path}`, { method: 'POST', json: {} });
    const text = await response.text();
    expect(text.length).toBeGreaterThan(50);
    const [row] = await rows();
    const day = new Date().toISOString().slice(0, 10);
    expect(row).toMatchObject({ day, provider, calls: 1, measuredCalls: 1, ...expected });
  });
});

test('a stream without counts is a call without counts, and nothing is estimated', async () => {
  await put('openai');
  world.providers.answerNextWith(events([sse({ model: 'm-1', choices: [] }), 'data: [DONE]']));
  await (await send('proxy', '/api/proxy/openai/v1/chat/completions', { method: 'POST', json: {} })).text();
  expect(await rows()).toMatchObject([
    { model: 'm-1', calls: 1, measuredCalls: 0, inputTokens: null, outputTokens: null },
  ]);
});

test.each([false, true])('generate with stream %s records the provider’s counts', async (stream) => {
  for (const provider of ['openai', 'anthropic', 'gemini'] as const) await put(provider);
  for (const provider of ['openai', 'anthropic', 'gemini']) {
    const body = { provider, model: 'm-1', prompt: 'hi', stream };
    await (await send('generate', '/api/generate', { method: 'POST', json: body })).text();
  }
  const found = await rows(3);
  for (const row of found) expect(row).toMatchObject({ measuredCalls: 1, inputTokens: 3, outputTokens: 5 });
});

test('calls are added up by day, provider and model; a search has no tokens', async () => {
  await put('openai');
  await put('exa');
  const used = { prompt_tokens: 1, completion_tokens: 2 };
  for (const model of ['a', 'a', 'b']) {
    world.providers.answerNextWith(json({ model, usage: used }));
    await (await send('proxy', '/api/proxy/openai/v1/chat/completions', { method: 'POST', json: {} })).text();
  }
  await (await send('search', '/api/search', { method: 'POST', json: { query: 'q' } })).text();
  const found = await vi.waitFor(async () => {
    const all = await rows(3);
    expect(all.map(({ calls }) => calls)).toEqual([1, 2, 1]);
    return all;
  });
  expect(found).toMatchObject([
    { provider: 'exa', model: null, inputTokens: null },
    { provider: 'openai', model: 'a', inputTokens: 2, outputTokens: 4 },
    { provider: 'openai', model: 'b', inputTokens: 1 },
  ]);
});

test('a stream is not delayed: each event arrives before the next one is sent', async () => {
  await put('openai');
  const gates = [newGate(), newGate()];
  const list = [sse({ choices: [] }), sse({ choices: [], usage: chatUsage })];
  world.providers.answerNextWith(events(list, { before: (index) => gates[index]?.opened }));
  const response = await send('proxy', '/api/proxy/openai/v1/chat/completions', { method: 'POST', json: {} });
  const reader = response.body?.getReader();
  for (const [index, gate] of gates.entries()) {
    gate.open();
    const { value } = (await reader?.read()) ?? {};
    expect(new TextDecoder().decode(value)).toBe(`${list[index]}\n\n`);
  }
  await reader?.read();
  expect(await rows()).toMatchObject([{ inputTokens: 12 }]);
});

test('a stream whose caller disconnects is counted with the counts until then', async () => {
  await put('anthropic');
  const never = new Promise(() => {});
  const start = sse({
    type: 'message_start',
    message: { model: 'm-1', usage: { input_tokens: 7, output_tokens: 1 } },
  });
  world.providers.answerNextWith(
    events([start, sse({})], { before: (index) => (index === 1 ? never : undefined) }),
  );
  const response = await send('proxy', '/api/proxy/anthropic/v1/messages', { method: 'POST', json: {} });
  const reader = response.body?.getReader();
  await reader?.read();
  await reader?.cancel();
  expect(await rows()).toMatchObject([{ model: 'm-1', inputTokens: 7, outputTokens: 1 }]);
});

test('costs come only from the operator’s price table', async () => {
  await put('openai');
  for (const model of ['gpt-priced', 'gpt-other']) {
    world.providers.answerNextWith(
      json({
        model,
        usage: { prompt_tokens: 1000, completion_tokens: 100, prompt_tokens_details: { cached_tokens: 400 } },
      }),
    );
    await (await send('proxy', '/api/proxy/openai/v1/chat/completions', { method: 'POST', json: {} })).text();
  }
  const found = await rows(2);
  expect(found.map(({ model, cost }) => [model, cost])).toEqual([
    ['gpt-other', null],
    ['gpt-priced', (600 * 2 + 400 * 1 + 100 * 10) / 1_000_000],
  ]);
});

test('from and to select days, also across months, and invalid values are refused', async () => {
  await put('openai');
  const use = async () =>
    (
      await send('proxy', '/api/proxy/openai/v1/chat/completions', { method: 'POST', json: { model: 'm' } })
    ).text();
  vi.useFakeTimers({ toFake: ['Date'] });
  try {
    const days = async (query: string) => {
      const { rows: found } = await (await send('usage', `/api/usage?${query}`)).json();
      return found.map(({ day }: { day: string }) => day);
    };
    for (const day of ['2031-01-31', '2031-02-01', '2031-02-28']) {
      vi.setSystemTime(Date.parse(`${day}T12:00:00Z`));
      token = await world.tokenFor(`counted-${user}`, {
        iat: Math.floor(Date.now() / 1000),
        exp: Math.floor(Date.now() / 1000) + 60,
      });
      await use();
      // Recorded before the clock moves on: a call that lasts for more than a day is not.
      await vi.waitFor(async () => expect(await days('')).toContain(day));
    }
    await vi.waitFor(async () =>
      expect(await days('from=2031-01-31&to=2031-02-28')).toEqual(['2031-01-31', '2031-02-01', '2031-02-28']),
    );
    expect(await days('from=2031-02-01&to=2031-02-27')).toEqual(['2031-02-01']);
    expect(await days('')).toEqual(['2031-01-31', '2031-02-01', '2031-02-28']);
  } finally {
    vi.useRealTimers();
  }
  token = await world.tokenFor(`counted-${user}`);
  for (const bad of ['from=x', 'to=2031-02-30', 'from=2031-02-02&to=2031-02-01', 'user=other']) {
    expect((await send('usage', `/api/usage?${bad}`)).status).toBe(400);
  }
});

test('the recorded counts equal the sum that the official Anthropic SDK computes', async () => {
  await put('anthropic');
  const client = new Anthropic({
    apiKey: token,
    baseURL: 'http://127.0.0.1:3000/api/proxy/anthropic',
    fetch: async (input, init) => (await modules.proxy.POST?.(new Request(input, init))) ?? Response.error(),
  });
  const stream = client.messages.stream({
    model: 'm-1',
    max_tokens: 9,
    messages: [{ role: 'user', content: 'hi' }],
  });
  const { usage } = await stream.finalMessage();
  expect(await rows()).toMatchObject([
    { inputTokens: usage.input_tokens, outputTokens: usage.output_tokens },
  ]);
});

test('counts from 0 to the largest exact number: no provider makes usage negative or the store refuse it', async () => {
  await put('openai');
  const most = Number.MAX_SAFE_INTEGER;
  for (const [input, output] of [
    [most, 1],
    [most, 1],
    [-1_000_000, 1],
    [1e300, 1],
  ]) {
    world.providers.answerNextWith(
      json({ model: 'm-1', usage: { prompt_tokens: input, completion_tokens: output } }),
    );
    const response = await send('proxy', '/api/proxy/openai/v1/chat/completions', {
      method: 'POST',
      json: {},
    });
    await response.text();
  }
  await vi.waitFor(async () => {
    const [row] = await rows();
    expect(row).toMatchObject({ calls: 4, inputTokens: most, outputTokens: 4 });
  });
});
