import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { createWebServer, type WebHandler } from '../../dev/http/create-web-server.ts';
import { closeServer, LOOPBACK, listen } from '../../dev/http/listen.ts';
import { createIssuedKeys } from '../../dev/providers/issued-keys.ts';
import { startProviders } from '../../dev/providers/start-providers.ts';
import { passed, runScenario } from '../../dev/scenario/run-scenario.ts';
import { catalogue, findProvider, type ProviderId } from '../../lib/providers/catalogue.ts';

const Body = z.looseObject({
  key: z.string().optional(),
  provider: z.string().optional(),
  prompt: z.string().optional(),
});

/** What the stand-in for the functions does wrong. */
type Fault = {
  /** Whose key pays, instead of the caller's. */
  readonly payer?: (user: string) => string;
  readonly callTwice?: boolean;
  readonly environment?: (keys: readonly string[]) => Record<string, string>;
  readonly lendsKeys?: boolean;
};

/** Runs the scenario against a stand-in for the functions, which has the fault that the test asks for. */
async function play(fault: Fault = {}) {
  const keys = createIssuedKeys();
  const providers = await startProviders(keys);
  onTestFinished(() => providers.close());
  const stored = new Map<string, string>();

  const handle: WebHandler = async (request) => {
    const user = request.headers.get('authorization')?.slice('Bearer '.length) ?? '';
    const { pathname } = new URL(request.url);
    const body = Body.parse(await request.json());
    if (request.method === 'PUT') {
      stored.set(`${user} ${pathname.slice('/api/keys/'.length)}`, body.key ?? '');
      return Response.json({ status: 'valid' }, { status: 201 });
    }
    const { provider, path, asked } = upstream(pathname, body);
    const payer = fault.payer?.(user) ?? user;
    const key =
      stored.get(`${payer} ${provider}`) ?? (fault.lendsKeys ? stored.get(`alice ${provider}`) : undefined);
    if (key === undefined) return Response.json({ code: 'key_missing' }, { status: 403 });
    const { header, scheme } = findProvider(provider)?.credential ?? { header: '' };
    const send = () =>
      fetch(providers.env[`${provider.toUpperCase()}_BASE_URL`] + path, {
        method: 'POST',
        headers: { 'content-type': 'application/json', [header]: scheme ? `${scheme} ${key}` : key },
        body: JSON.stringify(asked),
      });
    if (fault.callTwice) await (await send()).arrayBuffer();
    return new Response(await (await send()).text());
  };
  const server = createWebServer(handle);
  const url = `http://${LOOPBACK}:${await listen(server)}`;
  onTestFinished(() => closeServer(server));
  return runScenario({
    url,
    keys,
    tokenFor: async (user) => user,
    paidCalls: () => providers.paidCalls(),
    environment: async () => fault.environment?.(keys.all()) ?? {},
  });
}

function upstream(pathname: string, body: z.infer<typeof Body>) {
  const chat = (content: string) => ({ model: 'm', messages: [{ role: 'user', content }] });
  if (pathname === '/api/search') return { provider: 'exa' as const, path: '/search', asked: body };
  const [, , , name = body.provider, ...rest] = pathname.split('/');
  const provider = catalogue.find(({ id }) => id === name)?.id ?? expect.unreachable();
  const path: Partial<Record<ProviderId, string>> = {
    openai: '/v1/chat/completions',
    gemini: '/v1beta/models/m:generateContent',
  };
  if (rest.length > 0) return { provider, path: `/${rest.join('/')}`, asked: body };
  const prompt = body.prompt ?? '';
  const asked =
    provider === 'gemini' ? { contents: [{ role: 'user', parts: [{ text: prompt }] }] } : chat(prompt);
  return { provider, path: path[provider] ?? '', asked };
}

test('the scenario passes when each call is paid by its own caller’s key', async () => {
  const result = await play();
  expect(passed(result)).toBe(true);
  expect(result.calls).toHaveLength(30);
});

test('one user’s calls paid with the other’s key are detected', async () => {
  const result = await play({ payer: () => 'alice' });
  expect(passed(result)).toBe(false);
  expect(result.calls.filter(({ user }) => user === 'alice').every(({ ok }) => ok)).toBe(true);
  expect(result.calls.some(({ user, ok }) => user === 'bob' && ok)).toBe(false);
});

test('a call that reached the provider twice is detected', async () => {
  expect((await play({ callTwice: true })).calls.some(({ ok }) => ok)).toBe(false);
});

test('a key lent to the user who has none is detected', async () => {
  const result = await play({ lendsKeys: true });
  expect(result.calls.every(({ ok }) => ok)).toBe(true);
  expect(result.refusal.ok).toBe(false);
  expect(passed(result)).toBe(false);
});

test('a key in the functions’ environment is detected, also as part of a value', async () => {
  const result = await play({ environment: ([key = '']) => (key ? { LEAKED: `Bearer ${key}` } : {}) });
  expect(result.environment.ok).toBe(false);
  expect(passed(result)).toBe(false);
});

test('a developer’s own key in the functions’ environment is detected', async () => {
  expect((await play({ environment: () => ({ MISTRAL_API_KEY: 'anything' }) })).environment.ok).toBe(false);
});

test('an emulated provider takes only keys it has issued, one at a time, in its own header', async () => {
  const keys = createIssuedKeys();
  const providers = await startProviders(keys);
  onTestFinished(() => providers.close());
  const openai = keys.issue('openai', 'alice');
  const exa = keys.issue('exa', 'alice');
  const check = async (provider: ProviderId, headers: Record<string, string>) => {
    const base = providers.env[`${provider.toUpperCase()}_BASE_URL`];
    return (await fetch(`${base}${findProvider(provider)?.check.path}`, { headers })).status;
  };
  expect(await check('openai', { authorization: `Bearer ${openai}` })).toBe(200);
  expect(await check('openai', { authorization: openai })).toBe(401);
  expect(await check('openai', { 'x-api-key': openai })).toBe(401);
  expect(await check('openai', { authorization: `Bearer ${openai}`, 'x-api-key': exa })).toBe(401);
  expect(await check('openai', { authorization: `Bearer ${exa}` })).toBe(401);
  expect(await check('openai', {})).toBe(401);
  expect(await check('exa', { 'x-api-key': exa })).toBe(200);
  expect(await check('gemini', { 'x-goog-api-key': openai })).toBe(400);
  expect(await check('mistral', { authorization: `Bearer ${openai}` })).toBe(401);
  expect(providers.paidCalls()).toEqual([]);
});
