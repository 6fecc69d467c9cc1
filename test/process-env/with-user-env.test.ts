import { once } from 'node:events';
import { createServer, request, type Server } from 'node:http';
import { env } from 'node:process';
import { json } from 'node:stream/consumers';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { VercelRequest, VercelResponse } from '@vercel/node';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { closeServer, LOOPBACK, listen } from '../../dev/http/listen.ts';
import { query } from '../../lib/kv/query.ts';
import { call, type HandlerModule } from '../support/call.ts';
import { requestsBeforeResponses } from '../support/kv-requests.ts';
import { newProviderKey, startWorld, type World } from '../support/start-world.ts';
import { kvKey } from '../support/user-ids.ts';

let world: World;
let withUserEnv: typeof import('../../lib/process-env/with-user-env.ts').withUserEnv;
let keysEndpoint: HandlerModule;
const operators = newProviderKey('sk-operator-');
const anna = newProviderKey('sk-anna-');
const ben = newProviderKey('sk-ben-');
/** Time for writes after the response, on a busy machine. */
const WAITING = { timeout: 20_000 };

beforeAll(async () => {
  process.env.OPENAI_API_KEY = operators;
  process.env.EXA_API_KEY = operators;
  process.env.OPENAI_ADMIN_KEY = operators;
  world = await startWorld({ env: { ALLOWED_ORIGINS: 'https://app.example' } });
  ({ withUserEnv } = await import('../../lib/process-env/with-user-env.ts'));
  keysEndpoint = await import('../../api/userkeys.ts');
  await save('anna', 'openai', anna);
  await save('anna', 'gemini', anna);
  await save('ben', 'openai', ben);
});
afterAll(() => world.close());

async function save(user: string, provider: string, key: string): Promise<void> {
  const token = await world.tokenFor(user);
  const saved = await call(keysEndpoint, `/api/keys/${provider}`, { method: 'PUT', token, json: { key } });
  expect(saved.status).toBe(201);
}

async function requestOf(user: string, init: RequestInit = {}): Promise<Request> {
  const headers = { authorization: `Bearer ${await world.tokenFor(user)}` };
  return new Request('http://127.0.0.1/api/legacy', { headers, ...init });
}

describe('a Web handler', () => {
  it('reads its caller’s keys under all variable names of a provider, and undefined for other providers', async () => {
    const handler = withUserEnv(async () => {
      await nextTurn();
      const { OPENAI_API_KEY, GEMINI_API_KEY, GOOGLE_API_KEY, GOOGLE_GENERATIVE_AI_API_KEY } = env;
      const { EXA_API_KEY = null, OPENAI_ADMIN_KEY = null } = process.env;
      return Response.json([
        ...[OPENAI_API_KEY, GEMINI_API_KEY, GOOGLE_API_KEY, GOOGLE_GENERATIVE_AI_API_KEY],
        ...[EXA_API_KEY, OPENAI_ADMIN_KEY, process.env.OPENAI_BASE_URL],
      ]);
    });
    const seen = await (await handler(await requestOf('anna'))).json();
    expect(seen).toEqual([anna, anna, anna, anna, null, null, world.env.OPENAI_BASE_URL]);
    expect(process.env.OPENAI_API_KEY).toBe(operators);
  });

  it('makes one KV request', async () => {
    const handler = withUserEnv(() => Response.json(process.env.OPENAI_API_KEY));
    const before = requestsBeforeResponses(world);
    expect(await (await handler(await requestOf('anna'))).json()).toBe(anna);
    expect(requestsBeforeResponses(world) - before).toBe(1);
  });

  it('ends a scope once when the caller leaves: one call, one entry, and the daily count of unread keys stays', async () => {
    await save('eve', 'openai', newProviderKey());
    const token = await world.tokenFor('eve');
    const path = '/api/keys/openai';
    await call(keysEndpoint, path, { method: 'PATCH', token, json: { guards: { callsPerDay: 100 } } });
    const callsToday = async () =>
      (await (await call(keysEndpoint, path, { token })).json()).guards.callsToday;
    const uses = async (provider: string | null) => {
      const { entries } = await (await call(keysEndpoint, '/api/audit', { token })).json();
      return z
        .array(z.object({ action: z.string(), provider: z.string().nullable() }))
        .parse(entries)
        .filter((entry) => entry.action === 'use' && entry.provider === provider).length;
    };
    const reading = withUserEnv(() => Response.json(process.env.OPENAI_API_KEY !== undefined));
    for (let turn = 0; turn < 4; turn += 1) await (await reading(await requestOf('eve'))).text();
    await expect.poll(() => uses('openai'), WAITING).toBe(4);
    expect(await callsToday()).toBe(4);

    const stalling = withUserEnv(
      () =>
        new Response(
          new ReadableStream({
            start: (controller) => controller.enqueue(new TextEncoder().encode('first')),
          }),
        ),
    );
    const response = await stalling(await requestOf('eve'));
    const reader = response.body?.getReader();
    await reader?.read();
    const pending = reader?.read().catch(() => undefined);
    await reader?.cancel();
    await pending;
    // A later call: what the earlier one writes is written by then.
    await (await reading(await requestOf('eve'))).text();
    await expect.poll(() => uses('openai'), WAITING).toBe(5);
    expect(await uses(null)).toBe(1);
    expect(await callsToday()).toBe(5);
  });

  it('isolates overlapping callers', async () => {
    const handler = withUserEnv(async (_request: Request, turns: number) => {
      for (let turn = 0; turn < turns; turn += 1) await nextTurn();
      return new Response(process.env.OPENAI_API_KEY);
    });
    const users = ['anna', 'ben', 'nobody', 'ben', 'anna'];
    const answers = await Promise.all(
      users.map(async (user, index) => (await handler(await requestOf(user), 50 - index * 10)).text()),
    );
    expect(answers).toEqual([anna, ben, '', ben, anna]);
  });

  it('keeps its scope until its response has streamed', async () => {
    const late: (string | undefined)[] = [];
    let readLate = () => {};
    const handler = withUserEnv(() => {
      readLate = bindToScope(() => late.push(process.env.OPENAI_API_KEY));
      let chunks = 0;
      const body = new ReadableStream({
        async pull(controller) {
          await nextTurn();
          controller.enqueue(new TextEncoder().encode(`${process.env.OPENAI_API_KEY} `));
          chunks += 1;
          if (chunks === 5) controller.close();
        },
      });
      return new Response(body, { status: 201, statusText: 'Made', headers: { 'x-own': 'kept' } });
    });
    const response = await handler(await requestOf('anna'));
    expect([response.status, response.statusText, response.headers.get('x-own')]).toEqual([
      201,
      'Made',
      'kept',
    ]);
    readLate();
    expect(await response.text()).toBe(`${anna} `.repeat(5));
    readLate();
    expect(late).toEqual([anna, undefined]);
  });

  it('produces each chunk in its scope, however slowly the chunks are read', async () => {
    const handler = withUserEnv(() => {
      const encoder = new TextEncoder();
      const pull = (controller: ReadableStreamDefaultController<Uint8Array>) =>
        controller.enqueue(encoder.encode(process.env.OPENAI_API_KEY));
      return new Response(new ReadableStream({ pull }, { highWaterMark: 0 }));
    });
    const reader = (await handler(await requestOf('anna'))).body?.getReader();
    for (let taken = 0; taken < 5; taken += 1) {
      await nextTurn();
      const chunk = await reader?.read();
      expect(new TextDecoder().decode(chunk?.value)).toBe(anna);
    }
    await reader?.cancel();
  });

  it('ends the scope of a cancelled stream and cancels its source', async () => {
    const seen: unknown[] = [];
    let readLate = () => {};
    const handler = withUserEnv(() => {
      readLate = bindToScope(() => seen.push(process.env.OPENAI_API_KEY));
      const body = new ReadableStream({
        async pull(controller) {
          await nextTurn();
          controller.enqueue(new Uint8Array(1));
        },
        cancel: (reason) => void seen.push(reason, process.env.OPENAI_API_KEY),
      });
      return new Response(body);
    });
    const response = await handler(await requestOf('anna'));
    await response.body?.cancel('gone');
    readLate();
    expect(seen).toEqual(['gone', anna, undefined]);
  });

  it('forwards a stream’s error and ends the scope', async () => {
    let readLate = (): unknown => 'not set';
    const handler = withUserEnv(() => {
      readLate = bindToScope(() => process.env.OPENAI_API_KEY);
      const body = new ReadableStream({
        async pull() {
          await nextTurn();
          throw new Error('source failed');
        },
      });
      return new Response(body);
    });
    const response = await handler(await requestOf('anna'));
    await expect(response.text()).rejects.toThrow('source failed');
    expect(readLate()).toBeUndefined();
  });

  it('ends the scope of a failing stream that is never read', async () => {
    let readLate = (): unknown => 'not set';
    const handler = withUserEnv(() => {
      readLate = bindToScope(() => process.env.OPENAI_API_KEY);
      return new Response(new ReadableStream({ pull: () => Promise.reject(new Error('source failed')) }));
    });
    await handler(await requestOf('anna'));
    expect(readLate()).toBeUndefined();
  });

  it.each([
    ['text', () => new Response('x'.repeat(100_000))],
    ['JSON', () => Response.json({ ok: true })],
    ['no body', () => new Response(null, { status: 204 })],
    ['an empty body', () => new Response('')],
    ['a finished stream', () => new Response(new Blob(['x']).stream())],
  ])('ends its scope at once for a response with %s, read or not', async (_name, respond) => {
    let readLate = (): unknown => 'not set';
    const handler = withUserEnv(() => {
      readLate = bindToScope(() => process.env.OPENAI_API_KEY);
      return respond();
    });
    const response = await handler(await requestOf('anna'));
    expect(readLate()).toBeUndefined();
    const [got, expected] = [response, respond()];
    expect(await got.text()).toBe(await expected.text());
    expect([got.status, ...got.headers]).toEqual([expected.status, ...expected.headers]);
  });

  it('forwards an exception and ends its scope', async () => {
    let readLate = (): unknown => 'not set';
    const handler = withUserEnv(async () => {
      readLate = bindToScope(() => process.env.OPENAI_API_KEY);
      await nextTurn();
      throw new Error('of the handler');
    });
    await expect(handler(await requestOf('anna'))).rejects.toThrow('of the handler');
    expect(readLate()).toBeUndefined();
  });
});

describe('a Node handler', () => {
  const servers: Server[] = [];
  afterAll(() => Promise.all(servers.map(closeServer)));

  /** Serves a handler as Vercel does: `(request, response)` of Node's HTTP server. */
  async function serve(handler: (request: VercelRequest, response: VercelResponse) => unknown) {
    const wrapped = withUserEnv(handler);
    const server = createServer((request, response) => {
      Promise.resolve(Reflect.apply(wrapped, undefined, [request, response])).catch(() => {
        response.writeHead(500).end('threw');
      });
    });
    servers.push(server);
    const origin = `http://${LOOPBACK}:${await listen(server)}`;
    return async (user: string | undefined, init: RequestInit = {}) => {
      const token = user === undefined ? {} : { authorization: `Bearer ${await world.tokenFor(user)}` };
      return fetch(origin, {
        ...init,
        headers: { ...token, ...Object.fromEntries(new Headers(init.headers)) },
      });
    };
  }

  it('reads its caller’s key, also in listeners on its request and response', async () => {
    const seen: unknown[] = [];
    const read = () => seen.push(process.env.OPENAI_API_KEY);
    const ask = await serve((request, response) => {
      read();
      request.on('data', read);
      response.on('finish', read).on('close', read);
      request.on('end', () => {
        read();
        response.end(process.env.OPENAI_API_KEY);
      });
    });
    const answer = await ask('ben', { method: 'POST', body: 'body' });
    expect(await answer.text()).toBe(ben);
    await until(() => seen.length === 5);
    expect(seen).toEqual([ben, ben, ben, ben, ben]);
  });

  it('reads its caller’s key in listeners that the connection calls: a late body, an early disconnect', async () => {
    const seen: unknown[] = [];
    const read = () => seen.push(process.env.OPENAI_API_KEY);
    let sendRest = () => {};
    const leaving = new AbortController();
    const ask = await serve((request, response) => {
      request.on('data', (chunk) => {
        read();
        if (String(chunk) === 'late') leaving.abort();
        else setTimeout(sendRest, 20);
      });
      response.on('close', read);
    });
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode('early'));
        sendRest = () => controller.enqueue(new TextEncoder().encode('late'));
      },
    });
    const init = { method: 'POST', body, duplex: 'half', signal: leaving.signal };
    await expect(ask('ben', init)).rejects.toThrow('abort');
    await until(() => seen.length === 3);
    expect(seen).toEqual([ben, ben, ben]);
  });

  it('isolates callers on one connection, both sequential and concurrent', async () => {
    const ask = await serve(async (_request, response) => {
      await nextTurn();
      response.write(process.env.OPENAI_API_KEY ?? 'none');
      await nextTurn();
      response.end(process.env.EXA_API_KEY);
    });
    for (const [user, key] of [
      ['anna', anna],
      ['ben', ben],
      ['nobody', 'none'],
    ] as const) {
      expect(await (await ask(user)).text()).toBe(key);
    }
    const answers = await Promise.all(['anna', 'ben', 'anna'].map(async (user) => (await ask(user)).text()));
    expect(answers).toEqual([anna, ben, anna]);
  });

  it('keeps its scope until the response has closed and the handler has returned', async () => {
    const seen: unknown[] = [];
    let readLate = (): unknown => 'not set';
    let done = false;
    const ask = await serve(async (_request, response) => {
      readLate = bindToScope(() => process.env.OPENAI_API_KEY);
      response.end();
      await new Promise((resolve) => response.once('close', resolve));
      await nextTurn();
      seen.push(process.env.OPENAI_API_KEY);
      done = true;
    });
    await (await ask('anna')).text();
    await until(() => done);
    await nextTurn();
    expect(seen).toEqual([anna]);
    expect(readLate()).toBeUndefined();
  });

  it('ends its scope when the caller disconnects', async () => {
    let readLate = (): unknown => 'not set';
    const ask = await serve((_request, response) => {
      readLate = bindToScope(() => process.env.OPENAI_API_KEY);
      response.write('first');
    });
    const leaving = new AbortController();
    const answer = await ask('anna', { signal: leaving.signal });
    await answer.body?.getReader().read();
    expect(readLate()).toBe(anna);
    leaving.abort();
    await until(() => readLate() === undefined);
  });

  it('forwards an exception and ends its scope with the response', async () => {
    let readLate = (): unknown => 'not set';
    const ask = await serve(async () => {
      readLate = bindToScope(() => process.env.OPENAI_API_KEY);
      throw new Error('of the handler');
    });
    expect((await ask('anna')).status).toBe(500);
    await until(() => readLate() === undefined);
  });

  it.each(['TRACE', 'TRACK', 'CONNECT'])(
    'answers 405 for %s, a method that no Request can have',
    async (method) => {
      const wrapped = withUserEnv((_request: VercelRequest) => expect.unreachable());
      const served: Promise<unknown>[] = [];
      const server = createServer((request, response) => {
        // Node’s own server rejects or handles the other two methods itself; another host may not.
        request.method = method;
        served.push(Reflect.apply(wrapped, undefined, [request, response]));
      });
      servers.push(server);
      const asking = request({
        host: LOOPBACK,
        port: await listen(server),
        method: 'TRACE',
        agent: false,
      }).end();
      const [answer] = await once(asking, 'response');
      expect([answer.statusCode, answer.headers['content-type'], answer.headers.allow]).toEqual([
        ...[405, 'application/problem+json', 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'],
      ]);
      expect(await json(answer)).toMatchObject({ code: 'method_not_allowed', status: 405 });
      await expect(Promise.all(served)).resolves.toEqual([undefined]);
    },
  );

  it('does not run for a caller who cannot be verified', async () => {
    const ask = await serve(() => expect.unreachable());
    const answer = await ask(undefined, { headers: { origin: 'https://app.example' } });
    expect(answer.status).toBe(401);
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
    expect(await answer.json()).toMatchObject({ code: 'token_missing', status: 401 });
  });
});

describe('refusals', () => {
  const unreachableHandler = () => withUserEnv(() => expect.unreachable());

  it.each(['no token', 'a forged token', 'an expired token'])(
    '%s gets the same problem as on every other route',
    async (kind) => {
      const expired = await world.tokenFor('anna', { exp: 1_000_000_000 });
      const token = { 'no token': undefined, 'a forged token': 'a.b.c', 'an expired token': expired }[kind];
      const headers = new Headers(token === undefined ? {} : { authorization: `Bearer ${token}` });
      const ours = await unreachableHandler()(new Request('http://127.0.0.1/', { headers }));
      const route = await call(keysEndpoint, '/api/keys/openai', token === undefined ? {} : { token });
      expect(withoutIds(await ours.json())).toEqual(withoutIds(await route.json()));
      route.headers.delete('server-timing');
      expect([...ours.headers.keys()]).toEqual([...route.headers.keys()]);
      expect(ours.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
      expect(ours.status).toBe(401);
    },
  );

  it('a preflight is answered without a token, and the handler does not run', async () => {
    const headers = { origin: 'https://app.example', 'access-control-request-method': 'POST' };
    const answer = await unreachableHandler()(
      new Request('http://127.0.0.1/', { method: 'OPTIONS', headers }),
    );
    expect(answer.status).toBe(204);
    expect(answer.headers.get('access-control-allow-origin')).toBe('https://app.example');
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
  });

  it('rejects arguments that are not those of a handler', async () => {
    const wrapped = withUserEnv(() => expect.unreachable());
    await expect(Reflect.apply(wrapped, undefined, ['x'])).rejects.toThrow('withUserEnv wraps');
  });
});

it('records a key as used only if its variable was read, after the response has ended', async () => {
  for (const provider of ['openai', 'gemini']) await save('eva', provider, newProviderKey());
  const token = await world.tokenFor('eva');
  const guarding = { method: 'PATCH', token, json: { guards: { callsPerDay: 1 } } };
  await call(keysEndpoint, '/api/keys/gemini', guarding);
  const metadata = async (provider: string) =>
    (await call(keysEndpoint, `/api/keys/${provider}`, { token })).json();

  const handler = withUserEnv(() => {
    const seen = ['GEMINI_API_KEY' in process.env, { ...process.env }.GEMINI_API_KEY ?? null];
    let isFirst = true;
    const body = new ReadableStream({
      async pull(controller) {
        await nextTurn();
        if (isFirst) controller.enqueue(new TextEncoder().encode(JSON.stringify(seen)));
        else if (process.env.OPENAI_API_KEY !== undefined) controller.close();
        isFirst = false;
      },
    });
    return new Response(body);
  });
  const answer = await handler(await requestOf('eva'));
  expect(await metadata('openai')).toMatchObject({ lastUsedAt: null });
  expect(await metadata('gemini')).toMatchObject({ guards: { callsToday: 1 } });
  expect(await answer.json()).toEqual([true, null]);

  // Everything is written in one request, so an entry that is missing now stays missing.
  await expect.poll(() => metadata('openai'), WAITING).toMatchObject({ lastUsedAt: expect.any(String) });
  expect(await metadata('gemini')).toMatchObject({ lastUsedAt: null, guards: { callsToday: 0 } });
});

it('withholds a key that its user has restricted to some models, says why in the log, and does not count a call', async () => {
  for (const provider of ['openai', 'gemini']) await save('mia', provider, newProviderKey('sk-mia-'));
  const token = await world.tokenFor('mia');
  const guards = { models: ['gpt-5.4-mini'], callsPerDay: 5 };
  await call(keysEndpoint, '/api/keys/openai', { method: 'PATCH', token, json: { guards } });
  const logged = vi.spyOn(console, 'error').mockImplementation(() => {});
  const handler = withUserEnv(() =>
    Response.json([process.env.OPENAI_API_KEY ?? null, process.env.GEMINI_API_KEY?.startsWith('sk-mia-')]),
  );
  const answer = await (await handler(await requestOf('mia'))).json();
  const lines = logged.mock.calls.map(([line]) => JSON.parse(String(line)));
  logged.mockRestore();
  expect(answer).toEqual([null, true]);
  expect(lines).toContainEqual(
    expect.objectContaining({
      event: 'model_not_allowed',
      reason: 'models_not_enforceable',
      provider: 'openai',
    }),
  );
  const metadata = async () => (await call(keysEndpoint, '/api/keys/openai', { token })).json();
  await expect.poll(metadata, WAITING).toMatchObject({ lastUsedAt: null, guards: { callsToday: 0 } });
});

it('records what a Node handler has read after its response has closed', async () => {
  await save('finn', 'openai', newProviderKey());
  const token = await world.tokenFor('finn');
  const wrapped = withUserEnv((_request: VercelRequest, response: VercelResponse) => {
    response.once('close', () => process.env.OPENAI_API_KEY);
    response.end();
  });
  const server = createServer(
    (request, response) => void Reflect.apply(wrapped, undefined, [request, response]),
  );
  const origin = `http://${LOOPBACK}:${await listen(server)}`;
  await fetch(origin, { headers: { authorization: `Bearer ${token}` } });
  const metadata = async () => (await call(keysEndpoint, '/api/keys/openai', { token })).json();
  await expect.poll(metadata, WAITING).toMatchObject({ lastUsedAt: expect.any(String) });
  await closeServer(server);
});

it('a record that does not open reads as undefined and does not hide other keys', async () => {
  await save('dora', 'openai', newProviderKey());
  await save('dora', 'gemini', anna);
  const { app } = await import('../../lib/app.ts');
  const { kv } = await app();
  await kv.run(query((pipeline) => pipeline.hset(kvKey('keys', 'dora'), { openai: 'damaged' }), z.unknown()));
  const handler = withUserEnv(() =>
    Response.json([process.env.OPENAI_API_KEY ?? null, process.env.GEMINI_API_KEY]),
  );
  expect(await (await handler(await requestOf('dora'))).json()).toEqual([null, anna]);
});

it('answers 503 if KV is down, without any key', async () => {
  const handler = withUserEnv(() => expect.unreachable());
  const request = await requestOf('anna');
  await world.kv.stop();
  const answer = await handler(request);
  expect(answer.status).toBe(503);
  expect(answer.headers.get('retry-after')).not.toBeNull();
  expect(await answer.json()).toMatchObject({ code: 'store_unavailable' });
});

/** A function that runs in the scope in which it was created, like a late callback. */
function bindToScope<T>(read: () => T): () => T {
  const { AsyncResource } = process.getBuiltinModule('node:async_hooks');
  return AsyncResource.bind(read);
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await nextTurn();
}

function withoutIds(problem: unknown): unknown {
  return { ...Object(problem), instance: undefined };
}
